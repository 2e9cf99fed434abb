"""`reprolm lineage`: data → tokenizer → tokens → model → reports of a run, with who computed what."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from reprolm.lineage.runs import Found, found
from reprolm.report import lineage
from reprolm.report.lineage import OUTPUTS, Node, Output
from reprolm.store import publish_file
from reprolm.tracking.destination import asking
from reprolm.tracking.pipeline import CLOSING
from reprolm.tracking.runs import SHORT

DIGITS = 12
GIVEN = {
    "commit": "git.commit",
    "uncommitted changes": "git.dirty_sha256",
    "params.yaml": "digest.params.yaml",
    "requirements.lock": "digest.requirements.lock",
    "dvc.lock": "digest.dvc.lock",
}
STYLE = Path(lineage.__file__).with_name("page.css")


@dataclass(frozen=True)
class Step:
    """An output of a run: its digest, if the run tells one, and which run computed it."""

    output: Output
    digest: str | None
    by: str

    @property
    def below(self) -> str | None:
        """The output under which it hangs in a tree: the last of those that it was made from."""
        return self.output.sources[-1] if self.output.sources else None

    @property
    def words(self) -> str:
        """Name, digest and run in a line."""
        also = ", ".join(self.output.sources[:-1])
        return f"{self.output.name} {(self.digest or 'unknown')[:DIGITS]}  {self.by}" + (
            f" (also from {also})" if also else ""
        )


def steps(run: Found) -> list[Step]:
    """The outputs of a run in the order in which they were made."""
    digests = run.digests()
    return [Step(each, digests.get(each.stage), _by(run, each.stage)) for each in OUTPUTS]


def _by(run: Found, stage: str) -> str:
    """Who computed what a stage made."""
    how = run.tags.get(f"stage.{stage}", "did not run")
    if how == "ran":
        return "computed by this run"
    if how != "cached":
        return how
    other = run.tags.get(f"stage.{stage}.computed_by")
    return (
        f"from DVC's cache, computed by {_name(run, other)}" if other else "from DVC's cache, by no run here"
    )


def _name(run: Found, other: str) -> str:
    from mlflow.exceptions import MlflowException

    try:
        return Found(run.to, run.to.client.get_run(other)).name
    except MlflowException:
        return other[:SHORT]


def given(run: Found) -> dict[str, str]:
    """What the user gave: source, parameters, environment, by the beginning of their digests."""
    return {name: run.tags[tag][:DIGITS] for name, tag in GIVEN.items() if tag in run.tags}


def versions(run: Found) -> list[str]:
    """The names in the registry that the model of a run has."""
    listed: list[Any] = run.to.client.search_model_versions(f"run_id = '{run.id}'")
    # a listing lacks the aliases
    found = [run.to.client.get_model_version(each.name, each.version) for each in listed]
    return [f"{each.name} version {each.version}" + "".join(f" @{alias}" for alias in each.aliases)
            for each in sorted(found, key=lambda each: int(each.version))]  # fmt: skip


def tree(made: list[Step], below: str | None = None, indent: str = "") -> Iterator[str]:
    """The lines of a tree in which each output hangs under what it was made from."""
    children = [step for step in made if step.below == below]
    for step in children:
        last = step is children[-1]
        head, more = ("", "") if below is None else ("└─ ", "   ") if last else ("├─ ", "│  ")
        yield indent + head + step.words
        yield from tree(made, step.output.name, indent + more)


def _page(run: Found, made: list[Step], registered: list[str]) -> str:
    rails = lineage.rails([Node(step.output, step.digest) for step in made])
    row = Markup('<li{}><b>{}</b> <code title="{}">{}</code><span>{} · {}</span></li>')
    rows = [
        row.format(
            "" if step.digest else Markup(' class="missing"'), step.output.name, step.digest or "",
            (step.digest or "unknown")[:DIGITS], step.output.path, step.by,
        )
        for step in made
    ]  # fmt: skip
    facts = [f"{name} {digest}" for name, digest in given(run).items()] + registered
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(run.name)}</title>\n'
        f"<style>{STYLE.read_text(encoding='utf-8')}</style>\n<h1>Lineage of {escape(run.name)}</h1>\n"
        f'<p class="subtitle">{escape(" · ".join(facts))}</p>\n'
        f'<div class="lineage" style="--row:{lineage.ROW_PIXELS}px">{rails}<ol>\n'
        + "\n".join(rows)
        + "\n</ol></div></html>\n"
    )


def show(root: Path, word: str, out: Path | None) -> None:
    """Prints the lineage of a run as a tree, and draws it as a page.

    Raises:
        ReprolmError: no such run (exit 66), several (2), or the store does not answer (69).
    """
    run = found(root, word)
    page = out or root / "reports" / f"lineage-{run.id[:SHORT]}.html"
    with asking(root):
        made, registered = steps(run), versions(run)
        text = _page(run, made, registered)
        page_digest = run.digests().get(CLOSING, "unknown")[:DIGITS]
        last = f"page {page_digest}  {_by(run, CLOSING)}"
    print(f"{run.name} {run.run.info.status}")
    for name, digest in given(run).items():
        print(f"  {name} {digest}")
    print("\n".join(tree(made)))
    print(last)
    for version in registered:
        print(f"registered: {version}")
    publish_file(page, text)
    print(f"drawn in {page}")
