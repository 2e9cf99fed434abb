"""The `reprolm` command."""

from pathlib import Path
from typing import Annotated

import click
import typer

from reprolm.errors import Exit, guarded, refuse

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def check(params: Annotated[Path, typer.Option(help="the file of parameters")] = Path("params.yaml")) -> None:
    """Checks params.yaml: unknown keys, wrong types, impossible combinations, all at once (exit 2)."""
    from reprolm.config import read_params
    from reprolm.params import acting

    print(f"{params}: {len(acting(read_params(params)))} parameters act, all valid")


@app.command()
def doctor() -> None:
    """Looks at what reprolm needs of this machine, and says what to type where something is missing."""
    from reprolm.doctor import report

    report()


@app.command()
def ui(port: Annotated[int, typer.Option(help="the port on this machine")] = 5000) -> None:
    """Opens the MLflow pages of this repository, reachable from this machine alone."""
    from reprolm.tracking.interface import serve
    from reprolm.tracking.location import root

    serve(root(), port)


@app.command()
def sync() -> None:
    """Sends to MLflow what is recorded here and has not arrived there yet."""
    from reprolm.tracking.location import root
    from reprolm.tracking.shipper import sync as ship

    ship(root())


@app.command()
def sample(
    prompt: Annotated[str, typer.Argument(help="the text to continue")],
    tokens: Annotated[int, typer.Option(help="how many tokens to write")] = 200,
    temperature: Annotated[float, typer.Option(help="0: always the likeliest token")] = 0.8,
    seed: Annotated[int, typer.Option(help="another number, another text")] = 1,
) -> None:
    """Continues a text with the model in models/model."""
    from reprolm.config import section
    from reprolm.evaluate.text import write_samples
    from reprolm.generate.config import SampleConfig
    from reprolm.model.storage import load_model
    from reprolm.tokenizers.load import load

    values = {"prompts": [prompt], "draws": 1, "max_new_tokens": tokens, "temperature": temperature}
    config = section({"sample": values | {"top_k": None, "top_p": 0.95}}, "sample", SampleConfig)
    model, _ = load_model(Path("models/model"))
    rows = write_samples(model, load(Path("data/tokenizer")), config, seed)
    print(prompt + rows[0]["text"])


def main() -> None:
    """Runs the command; what its user can mend is one line and an exit code."""
    raise SystemExit(guarded(_run))


def _run() -> None:
    try:
        app(standalone_mode=False)
    except click.ClickException as error:
        raise refuse("command line", error.format_message(), exit=Exit.PARAMETERS) from error
