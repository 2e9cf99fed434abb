"""The comparison in a terminal."""

import shutil
from collections.abc import Iterator

from reprolm.compare.result import Comparison, written

SHORT = {
    "evaluate/bits_per_byte": "bits/byte",
    "evaluate/excess/nats": "excess",
    "train/best_validation_loss": "val. loss",
    "evaluate/perplexity": "perplexity",
    "train/parameters/total": "parameters",
    "train/tokens": "tokens",
    "train/seconds": "seconds",
    "evaluate/sliding/bits_per_byte": "b/byte, sliding",
    "train/final_train_loss": "train loss",
    "train/best_step": "best step",
    "sample/rep_4": "rep-4",
}
"""Headings, in the order in which they are kept where there is no room for all."""


def table(found: Comparison) -> str:
    """A line for each group; `*` marks the best of a column."""
    width = shutil.get_terminal_size((100, 24)).columns
    several = any(len(group.runs) > 1 for group in found.groups)
    marked = False
    columns = [["", *(group.name for group in found.groups)]]
    if several:
        columns.append(["seeds", *(str(len(group.runs)) for group in found.groups)])
    known = {metric.key: metric for metric in found.metrics}
    for key, heading in SHORT.items():
        if key not in known:
            continue
        best = found.best(known[key])
        cells = [written(group.interval(key), known[key].digits) + ("*" if group is best else " ")
                 for group in found.groups]  # fmt: skip
        column = [heading + " ", *cells]
        if _width([*columns, column]) <= width or len(columns) < 3:
            columns.append(column)
            marked = marked or best is not None
    return "\n".join([*_lines(columns), *_below(found, several=several, marked=marked)])


def _width(columns: list[list[str]]) -> int:
    return sum(max(map(len, column)) + 2 for column in columns) - 2


def _lines(columns: list[list[str]]) -> Iterator[str]:
    first, *others = columns
    for row in range(len(first)):
        cells = [f"{column[row]:>{max(map(len, column))}}" for column in others]
        yield "  ".join([f"{first[row]:<{max(map(len, first))}}", *cells]).rstrip()


def _below(found: Comparison, *, several: bool, marked: bool) -> Iterator[str]:
    yield ""
    yield f"differ: {', '.join(found.differing) or 'no parameters'}"
    if several:
        star = "; * best mean" if marked else ""
        yield f"mean ± half of the 95 % interval over seeds (Student's t){star}"
    yield from (f"! {note}" for note in found.notes)
