"""The `reprolm` command."""

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from reprolm.errors import guarded
from reprolm.lineage.command import Page
from reprolm.lineage.command import install as install_lineage
from reprolm.registry.command import install as install_registry

# without rich a message stays on its line, however narrow the terminal
app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)

preset_app = typer.Typer(no_args_is_help=True, help="Parameters of known systems: list, show, use.")
app.add_typer(preset_app, name="preset")
export_app = typer.Typer(no_args_is_help=True, help="Writes a model in the format of another library.")
app.add_typer(export_app, name="export")
Variants = Annotated[list[str] | None, typer.Option("--variant", help="may be given several times")]
Size = Annotated[str | None, typer.Option("--size", help="smoke: runs in a minute on a laptop")]
install_lineage(app)
install_registry(app)


@app.callback()
def _describe() -> None:
    """Train small language models from scratch, and re-create every result."""


def _root() -> Path:
    """The repository, from whichever folder of it."""
    from reprolm.tracking.location import repository

    return repository()


@app.command()
def check(params: Annotated[Path | None, typer.Option(help="another file of parameters")] = None) -> None:
    """Checks params.yaml: unknown keys, wrong types, impossible combinations, all at once (exit 2).

    And whether own text that it names is there (exit 66).
    """
    from reprolm.config import read_params, section
    from reprolm.corpus.config import DataConfig
    from reprolm.params import acting

    path = params or _root() / "params.yaml"
    raw = read_params(path)
    acts, data = acting(raw), section(raw, "data", DataConfig)
    if "files" in data.sources:
        from reprolm.corpus.files import found

        found(data.files, _root())
    print(f"{path.name}: {len(acts)} parameters act, all valid")


@app.command()
def plan(
    params: Annotated[Path | None, typer.Option(help="another file of parameters")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
    vocab_size: Annotated[int | None, typer.Option(min=1, help="entries, where nothing says it")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="tells how many steps fit into them")] = None,
) -> None:
    """Tells before training what it takes here: parameters, operations, memory, time, disk, epochs."""
    from reprolm.plan.command import show

    root = _root()
    show(root, params or root / "params.yaml", as_json=as_json, vocab_size=vocab_size, seconds=seconds)


@app.command()
def doctor(
    unlock: Annotated[bool, typer.Option(help="first free outputs of DVC whose user has ended")] = False,
) -> None:
    """Looks at what reprolm needs of this machine, and says what to type where something is missing."""
    from reprolm import rwlock
    from reprolm.doctor import report

    if unlock:
        rwlock.unlock(_root())
    report()


@app.command()
def ui(port: Annotated[int, typer.Option(help="the port on this machine")] = 5000) -> None:
    """Opens the MLflow pages of this repository, reachable from this machine alone."""
    from reprolm.tracking.interface import serve

    serve(_root(), port)


@app.command()
def sync() -> None:
    """Sends to MLflow what is recorded here and has not arrived there yet."""
    from reprolm.tracking.shipper import sync as ship

    ship(_root())


@app.command()
def verify(
    one: Annotated[str | None, typer.Argument(help="a run, a folder, or a git revision")] = None,
    other: Annotated[str | None, typer.Argument(help="what to compare it with; this workspace")] = None,
    deep: Annotated[bool, typer.Option("--deep", help="rehashes all that DVC believes unread")] = False,
) -> None:
    """Says where two trained models part: first other weights, batch or loss, and what they came from.

    Exit 0 where weights, batches and losses are the same to the bit, else 1. With --deep and no model, names
    each file of cache, workspace and manifests whose bytes are wrong (exit 76).
    """
    if deep != (one is None):
        raise typer.BadParameter("takes either models to compare, or --deep")
    if one is None:
        from reprolm.lineage.deep import verify as rehash

        rehash(_root())
        return
    from reprolm.diagnose.compare import compare
    from reprolm.tracking.kept import kept

    root = _root()
    verdict = compare(kept(root, one), kept(root, other or str(root)))
    print("\n".join(["the same" if verdict.same else "not the same", *verdict.lines]))
    if not verdict.same:
        raise typer.Exit(1)


@app.command()
def sample(
    prompt: Annotated[str, typer.Argument(help="the text to continue")],
    tokens: Annotated[int, typer.Option(help="how many tokens to write")] = 200,
    temperature: Annotated[float, typer.Option(help="0: always the likeliest token")] = 0.8,
    seed: Annotated[int, typer.Option(help="another number, another text")] = 1,
) -> None:
    """Continues a text with the model in models/model."""
    from reprolm.evaluate.continuation import continuations
    from reprolm.evaluate.pair import load_pair

    options = {"max_new_tokens": tokens, "temperature": temperature, "seed": seed}
    pair = load_pair(_root() / "models" / "model", _root() / "data" / "tokenizer")
    print(continuations(pair, [prompt], options)[0])


@app.command()
def sweep(
    values: Annotated[list[str], typer.Argument(help="seed=1,2 seed=range(3) train.steps=100,200 …")],
    jobs: Annotated[int, typer.Option(min=1, max=64, help="experiments at a time")] = 1,
    yes: Annotated[bool, typer.Option("--yes", help="does not ask")] = False,
) -> None:
    """Runs a grid of experiments through DVC's queue: checks all, says what it takes, waits, sums up."""
    from reprolm.sweep.command import sweep as run_sweep

    run_sweep(_root(), values, jobs, yes)


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(help="runs as for lineage, 'seed=*', or a filter of MLflow")],
    out: Page = None,
) -> None:
    """Shows runs beside each other: what differs, numbers, curves, samples; a table and a page."""
    from reprolm.compare.command import compare as compare_runs

    compare_runs(_root(), runs, out)


@preset_app.command("list")
def list_presets() -> None:
    """Names the presets, with their variants and sizes."""
    from reprolm.presets import presets

    for each in presets(_root()):
        print(f"{each.name}: {each.title}")
        for kind, known in (("variants", each.variants), ("sizes", each.sizes)):
            if known:
                print(f"    {kind}: {', '.join(known)}")


@preset_app.command("show")
def show_preset(name: str, variant: Variants = None, size: Size = None) -> None:
    """Prints a preset as it would become params.yaml."""
    from reprolm.presets import preset, rendered

    chosen = preset(_root(), name)
    print(rendered(chosen, chosen.changes(variant or [], size)), end="")


@preset_app.command("use")
def use_preset(name: str, variant: Variants = None, size: Size = None) -> None:
    """Makes a preset the params.yaml of this repository; the former one is kept."""
    from reprolm.presets import preset, put, rendered

    root = _root()
    chosen = preset(root, name)
    changes = chosen.changes(variant or [], size)
    text = rendered(chosen, changes)
    if kept := put(root, text):
        print(f"the former params.yaml is kept as {kept.relative_to(root)}")
    print(f"params.yaml is {name} now: {chosen.title}")
    if by := [*(variant or []), *([f"size {size}"] if size else [])]:
        other = f", and another text: {changes['data.source']}" if "data.source" in changes else ""
        print(f"changed by {', '.join(by)}: {len(changes)} values, marked `instead of`{other}")


@export_app.command("hf")
def export_huggingface(
    out: Annotated[Path, typer.Argument(help="the folder to write; it must not exist")],
    model: Annotated[Path | None, typer.Option(help="instead of models/model")] = None,
    tokenizer: Annotated[Path | None, typer.Option(help="instead of data/tokenizer")] = None,
) -> None:
    """Writes a folder that transformers loads, after proof that its numbers are the same."""
    from reprolm.export.command import export_hf

    export_hf(_root(), out, model, tokenizer)


def _run() -> None:
    # typer prints what is wrong with the command line itself (exit 2), and leaves with 130 on Ctrl-C
    app()


def main() -> None:
    """Runs the command; what its user can mend is one line and an exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a terminal that lacks a character shows its code
        sys.stdout.reconfigure(errors="backslashreplace")
    raise SystemExit(guarded(_run))
