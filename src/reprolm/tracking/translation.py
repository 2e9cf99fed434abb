"""From the records of a journal to what MLflow takes: a fold, so that the same records give the same."""

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reprolm.store import digest
from reprolm.tracking.identity import Execution, lives, redacted
from reprolm.tracking.pipeline import CLOSING
from reprolm.tracking.record import FILES, flattened
from reprolm.tracking.shown import CURVES, HEADLINES, MOST_POINTS, SCALARS, SECONDS

LONGEST_TAG = 5000
LONGEST_PARAM = 6000
LONGEST_NAME = 500
LONGEST_CHANGE = 400
Completed = Callable[[Mapping[str, int]], bool]
Point = tuple[str, float, int, int]
"""Name, value, milliseconds, step."""


@dataclass
class Parcel:
    """What some records say; `cached` are stages that were skipped, and the digest of what they had made."""

    points: list[Point] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    datasets: list[dict[str, str]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    cached: dict[str, str] = field(default_factory=dict)


def key(name: str) -> str:
    """`name` with the characters that MLflow takes, and no longer."""
    return re.sub(r"[^\w./ :-]", "_", name)[:250]


def text(value: str, longest: int) -> str:
    """`value` as every store takes it: without secrets, NUL and broken Unicode, and no longer.

    >>> text("a\\0b of https://me:secret@example.com", 30)
    'a␀b of https://example.com'
    """
    whole = value.replace("\0", "␀").encode(errors="replace").decode()
    return redacted(whole)[:longest]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _thinned(points: list[Point]) -> list[Point]:
    """At most `MOST_POINTS` of a whole series, evenly, the last among them."""
    most, count = MOST_POINTS - 1, len(points)
    if count <= MOST_POINTS:
        return points
    kept = [point for i, point in enumerate(points[:-1]) if i * most // count != (i - 1) * most // count]
    return [*kept, points[-1]]


class Translation:
    """What is known of a run after the records so far; `take` gives what the next ones add."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.execution: Execution | None = None
        self.opened_at = self.last_at = 0
        self.running: dict[str, dict[str, Any]] = {}
        self.ended: dict[str, str] = {}
        self.ended_at: dict[str, int] = {}
        self._horizon: int | None = None
        self._buckets: dict[str, int] = {}
        self.model = ""
        self._scalars: dict[str, Point] = {}
        self._changed = ""
        self._refused = False
        self._tables: list[dict[str, str]] = []

    def take(self, records: Iterable[Mapping[str, Any]]) -> Parcel:
        """The parcel of the next records; a kind that this version does not know is passed over."""
        parcel = Parcel()
        for record in records:
            self.last_at = max(self.last_at, record["at"])
            handler = getattr(self, f"_take_{record['kind']}", None)
            if handler is not None:
                handler(record, parcel)
        return parcel

    def departed(self) -> tuple[set[str], bool]:
        """The stages whose process is gone, and whether that of the execution is. To be asked before the
        journal is read: a process that is gone then writes nothing later."""
        execution = self.execution
        if execution is None:
            return set(), False
        gone = {name for name, process in self.running.items()
                if execution.here and not lives(process["pid"], process["born"])}  # fmt: skip
        return gone, not execution.alive and gone == set(self.running)

    def status(self, departed: tuple[set[str], bool], completed: Completed = lambda _: True) -> str:
        """How the run stands: RUNNING, FINISHED, FAILED or KILLED.

        `completed` tells whether an execution that is over, and did not close, did what it was asked for.
        """
        stages, over = departed
        ends = set(self.ended.values())
        if "failed" in ends:
            return "FAILED"
        if "killed" in ends or stages & set(self.running):
            return "KILLED"
        if self._refused:
            return "FAILED"
        if self.ended.get(CLOSING) == "done":
            return "FINISHED"
        if not over or self.running:
            return "RUNNING"
        return "FINISHED" if completed(self.ended_at) else "KILLED"

    def scalars(self) -> list[Point]:
        """The numbers of the run, each as it was last recorded."""
        return list(self._scalars.values())

    def description(self) -> str:
        """What was changed and the main numbers, in Markdown."""
        known = {words: self._scalars[name][1] for name, words in HEADLINES.items() if name in self._scalars}
        rows = [f"| {words} | {value:,.5g} |" for words, value in known.items()]
        changed = [f"Changed: `{self._changed}`", ""] if self._changed else []
        return "\n".join([*changed, *(["| | |", "|---|---|", *rows] if rows else [])])

    def _take_opened(self, record: Mapping[str, Any], parcel: Parcel) -> None:
        self.execution = Execution.from_record(record["execution"])
        self._changed = redacted(record["tags"].get("changed", ""))[:LONGEST_CHANGE]
        self.opened_at = record["at"]
        parcel.params |= {
            key(name): text(value if isinstance(value, str) else json.dumps(value), LONGEST_PARAM)
            for name, value in record["params"].items()
        }
        parcel.tags |= {key(name): text(value, LONGEST_TAG) for name, value in record["tags"].items()}

    def _take_started(self, record: Mapping[str, Any], parcel: Parcel) -> None:
        self.running[record["stage"]] = {"pid": record["pid"], "born": record["born"]}
        parcel.tags[f"stage.{record['stage']}"] = "running"

    def _take_ended(self, record: Mapping[str, Any], parcel: Parcel) -> None:
        stage, status = record["stage"], record["status"]
        self.running.pop(stage, None)
        self.ended[stage], self.ended_at[stage] = status, record["at"]
        parcel.tags[f"stage.{stage}"] = "ran" if status == "done" else status
        if status == "done":
            self._take_numbers({**record, "numbers": {SECONDS: record["seconds"]}}, parcel)
        else:
            parcel.tags["exit"] = str(record["exit"])
            parcel.tags["error"] = text(record["error"], LONGEST_TAG) or status

    def _take_over(self, record: Mapping[str, Any], parcel: Parcel) -> None:
        # where a stage ended with an error, it said more
        if not self.running and set(self.ended.values()) <= {"done"}:
            self._refused = True
            parcel.tags["error"] = text(record["error"], LONGEST_TAG)
            if record["exit"] is not None:
                parcel.tags["exit"] = str(record["exit"])

    def _take_horizon(self, record: Mapping[str, Any], _: Parcel) -> None:
        self._horizon = max(1, record["steps"])

    def _take_point(self, record: Mapping[str, Any], parcel: Parcel) -> None:
        step = record["step"]
        for name, value in record["values"].items():
            if self._horizon is not None and step < self._horizon:
                bucket = step * (MOST_POINTS - 1) // self._horizon
                if self._buckets.get(name) == bucket:
                    continue
                self._buckets[name] = bucket
            parcel.points.append((key(name), float(value), record["at"], step))

    def _take_coarser(self, record: Mapping[str, Any], parcel: Parcel) -> None:
        parcel.tags["curves"] = f"one point in {record['every']:,} after step {record['step']:,}"

    def _take_numbers(self, record: Mapping[str, Any], parcel: Parcel) -> None:
        for name, value in flattened(record["numbers"], "/").items():
            full, number = f"{record['stage']}/{name}", _number(value)
            if full in SCALARS and number is not None:
                self._scalars[full] = (full, number, record["at"], 0)
                parcel.points.append(self._scalars[full])

    def _take_cached(self, record: Mapping[str, Any], parcel: Parcel) -> None:
        self._take_numbers(record, parcel)
        parcel.tags[f"stage.{record['stage']}"] = "cached"
        self._take_outputs(record, parcel)
        if record["outputs"]:
            parcel.cached[record["stage"]] = parcel.tags[f"stage.{record['stage']}.digest"]

    def _take_outputs(self, record: Mapping[str, Any], parcel: Parcel) -> None:
        digests = record["outputs"]
        if digests:
            one = next(iter(digests.values())) if len(digests) == 1 else digest(digests)
            parcel.tags[f"stage.{record['stage']}.digest"] = one
            self.model = one if record["stage"] == "train" else self.model

    def _take_tag(self, record: Mapping[str, Any], parcel: Parcel) -> None:
        parcel.tags[key(record["key"])] = text(str(record["value"]), LONGEST_TAG)

    def _take_dataset(self, record: Mapping[str, Any], parcel: Parcel) -> None:
        names = ("name", "digest", "source", "context", "stage")
        parcel.datasets.append({name: text(record[name], LONGEST_NAME) for name in names})

    def _take_file(self, record: Mapping[str, Any], parcel: Parcel) -> None:
        parcel.files.append(Path(record["path"]))

    def _take_table(self, record: Mapping[str, Any], parcel: Parcel) -> None:
        self._take_file(record, parcel)
        self._tables.append({"path": record["path"], "type": "table"})
        parcel.tags["mlflow.loggedArtifacts"] = json.dumps(self._tables)

    def _take_curve(self, record: Mapping[str, Any], parcel: Parcel) -> None:
        self._take_file(record, parcel)
        with (self.directory / FILES / record["path"]).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for column, name in CURVES.items():
            series = [
                (name, float(row[column]), record["at"], int(row["step"])) for row in rows if row.get(column)
            ]
            parcel.points += _thinned(series)
