"""What a run takes besides training: DVC, the starts of stages, evaluation, samples and the page."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprolm.journal import stream
from reprolm.tracking.location import executions
from reprolm.tracking.pipeline import CLOSING, STAGES
from reprolm.tracking.record import JOURNAL

STATED_SECONDS = 30.0
"""That of a small model on two cores."""
NEWEST = 5
BEFORE = STAGES["train"].after
"""What makes the data, which experiments share."""


@dataclass(frozen=True)
class Around:
    """Seconds, and what they are from."""

    seconds: float
    basis: str


def around(root: Path) -> Around:
    """The median of the newest runs of a repository that trained, wrote and judged; stated where none did."""
    found: list[float] = []
    for journal in sorted(executions(root).glob(f"*/{JOURNAL}"), key=_age):
        found += _seconds([record for record in stream(journal) if record["kind"] != "point"])
        if len(found) == NEWEST:
            break
    if not found:
        return Around(STATED_SECONDS, "no run here tells")
    return Around(statistics.median(found), "as in runs here")


def _age(journal: Path) -> float:
    try:
        return -journal.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # removed since, as the oldest are


def _seconds(records: Sequence[Mapping[str, Any]]) -> Iterator[float]:
    """From DVC's start to the end of the page, less training itself and the making of data."""
    ended = {
        record["stage"]: record["at"]
        for record in records
        if record["kind"] == "ended" and record["status"] == "done"
    }
    numbers = (record["numbers"] for record in records if record["kind"] == "numbers")
    fit = next((each["fit_seconds"] for each in numbers if "fit_seconds" in each), None)
    # a damaged line is passed over, the first one too
    opened = next((record for record in records if record["kind"] == "opened"), None)
    if opened and fit is not None and set(STAGES) - set(BEFORE) <= set(ended):
        data = max((ended[stage] for stage in BEFORE if stage in ended), default=opened["at"]) - opened["at"]
        yield (ended[CLOSING] - data) / 1000 - opened["execution"]["started"] - fit
