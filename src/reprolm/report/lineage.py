"""Lineage: which published output came from which, by digest, and its drawing."""

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from reprolm.store import MANIFEST, directory_digest, file_sha256

ROW_PIXELS = 58
RAIL_PIXELS = 64


@dataclass(frozen=True)
class Output:
    """What a stage publishes, and the outputs that it was made from."""

    name: str
    path: str
    stage: str
    sources: tuple[str, ...] = ()


OUTPUTS = (
    Output("corpus", "data/corpus", "download"),
    Output("tokenizer", "data/tokenizer", "train_tokenizer", ("corpus",)),
    Output("tokens", "data/tokens", "encode", ("corpus", "tokenizer")),
    Output("model", "models/model", "train", ("tokens",)),
    Output("evaluation", "reports/evaluate", "evaluate", ("corpus", "tokens", "model")),
    Output("samples", "reports/samples", "sample", ("tokenizer", "model")),
)
GIVEN = ("params.yaml", "requirements.lock")


@dataclass(frozen=True)
class Node:
    """An output and the digest of its manifest, None where it is not there."""

    output: Output
    digest: str | None


def nodes(root: Path) -> list[Node]:
    """The outputs under `root` with their digests.

    Raises:
        ReprolmError: a manifest cannot be read (exit 76).
    """
    return [
        Node(each, directory_digest(root / each.path) if (root / each.path / MANIFEST).is_file() else None)
        for each in OUTPUTS
    ]


def given(root: Path) -> dict[str, str]:
    """The sha256 of the files that determine the outputs, of those that are there."""
    return {name: file_sha256(root / name) for name in GIVEN if (root / name).is_file()}


def rails(found: list[Node]) -> Markup:
    """The outputs as dots below one another, each joined to those that it was made from.

    Neighbours are joined by a straight line, others by an arc that is the wider the more it passes over.
    """
    row = {node.output.name: index for index, node in enumerate(found)}
    x = RAIL_PIXELS - 10
    lines = []
    for node in found:
        for source in node.output.sources:
            start, end = row[source], row[node.output.name]
            reach = 0 if end - start == 1 else 14 * (end - start)
            top, bottom = (ROW_PIXELS * (index + 0.5) for index in (start, end))
            kind = "edge" if node.digest and found[start].digest else "edge absent"
            curve = f"M{x} {top:g}C{x - reach} {top:g} {x - reach} {bottom:g} {x} {bottom:g}"
            lines.append(f'<path class="{kind}" d="{curve}"/>')
    for node in found:
        kind = "dot" if node.digest else "dot absent"
        y = ROW_PIXELS * (row[node.output.name] + 0.5)
        lines.append(f'<circle class="{kind}" cx="{x}" cy="{y:g}" r="5"/>')
    height = ROW_PIXELS * len(found)
    extent = f'viewBox="0 0 {RAIL_PIXELS} {height}" width="{RAIL_PIXELS}" height="{height}"'
    return Markup(f'<svg class="rails" aria-hidden="true" {extent}>{"".join(lines)}</svg>')  # noqa: S704
