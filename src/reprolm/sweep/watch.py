"""How the experiments of a sweep stand, from DVC's queue and from the journals that their stages write."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reprolm.errors import LINE, Exit
from reprolm.journal import read
from reprolm.sweep.queue import Entry, Queue, State
from reprolm.tracking.location import executions
from reprolm.tracking.pipeline import STAGES
from reprolm.tracking.record import JOURNAL
from reprolm.tracking.shown import QUALITY

MISSED_SECONDS = 20.0
"""How long something may look wrong between two of DVC's own steps."""


@dataclass
class Progress:
    """What an experiment's journal says so far."""

    began: float = 0.0
    last: float = 0.0
    stage: str = ""
    step: int = 0
    loss: float | None = None
    resumed: int = 0
    error: str = ""
    exit: int = 0
    numbers: dict[str, float] = field(default_factory=dict)

    def take(self, record: Mapping[str, Any]) -> None:
        """Adds a record."""
        self.last = record["at"] / 1000
        kind = record["kind"]
        if kind == "opened":
            self.began = self.last
        elif kind == "started":
            self.stage = record["stage"]
        elif kind == "point":
            # at the end of a coarser journal stand points that were held back
            self.step = max(self.step, record["step"])
            self.loss = record["values"].get("validation/loss", self.loss)
        elif kind in ("numbers", "cached"):
            numbers = {key: value for key, value in record["numbers"].items() if isinstance(value, float)}
            self.numbers |= {f"{record['stage']}/{key}": value for key, value in numbers.items()}
        elif kind == "tag" and record["key"] == "resumed_from_step":
            self.resumed = int(record["value"])
        elif kind == "ended" and record["status"] != "done":
            self.error, self.exit = record["error"].splitlines()[0] if record["error"] else "", record["exit"]

    @property
    def seconds(self) -> float:
        """From its first record to its last."""
        return self.last - self.began


class Journals:
    """The newest journal of each experiment, read as it grows."""

    def __init__(self, root: Path, since: float) -> None:
        self._place, self._since = executions(root), since
        self._names: dict[Path, str] = {}
        self._ends: dict[Path, int] = {}
        self._progress: dict[Path, Progress] = {}

    def progress(self) -> dict[str, Progress]:
        """By the experiment's name."""
        newest: dict[str, Progress] = {}
        for path in self._place.glob(f"*/{JOURNAL}"):
            if path.stat().st_mtime < self._since or self._names.get(path) == "":
                continue
            records, self._ends[path] = read(path, self._ends.get(path, 0))
            if records and path not in self._names:
                self._names[path] = records[0].get("execution", {}).get("name") or ""
            known = self._progress.setdefault(path, Progress())
            for record in records:
                known.take(record)
            name = self._names.get(path, "")
            if name and (name not in newest or newest[name].began < known.began):
                newest[name] = known
        return newest


@dataclass
class Row:
    """One experiment: in the queue as `rev`, `since` when, and how it stands."""

    name: str
    rev: str
    state: State = State.QUEUED
    progress: Progress = field(default_factory=Progress)
    since: float = 0.0
    error: str = ""
    odd_since: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in (State.FINISHED, State.FAILED)


class Watch:
    """The rows of a sweep, brought up to date by `look`."""

    def __init__(self, queue: Queue, entries: list[Entry]) -> None:
        self._queue = queue
        self._journals = Journals(queue.root, time.time() - 24 * 3600)
        self.rows = [Row(entry.name, entry.rev, entry.state) for entry in entries]
        self._idle_since: float | None = None

    def look(self) -> None:
        """Asks DVC and the journals."""
        states, progress = self._queue.states(), self._journals.progress()
        for row in self.rows:
            if row.over:
                continue
            entry = states.get(row.rev)
            odd = entry is None or (entry.state is State.RUNNING and self._queue.lost(row.rev))
            row.odd_since = (row.odd_since or time.monotonic()) if odd else None
            row.state = entry.state if entry is not None else row.state
            if row.odd_since and time.monotonic() - row.odd_since > MISSED_SECONDS:
                # its worker died with it, or somebody took it out of the queue
                self._queue.kill([row.rev])
                row.state, row.odd_since = State.FAILED, None
            if row.state is not State.QUEUED:
                newest = progress.get(row.name, row.progress)
                # an experiment that failed before had the same name
                row.progress = newest if newest.began >= row.since else row.progress
            if row.state is State.FAILED:
                row.error = self._why(row)

    def stalled(self) -> bool:
        """Whether experiments wait though none has run for a while: the last worker left too early."""
        working = any(row.state is State.RUNNING for row in self.rows)
        waiting = any(row.state is State.QUEUED for row in self.rows)
        if working or not waiting:
            self._idle_since = None
            return False
        self._idle_since = self._idle_since or time.monotonic()
        if time.monotonic() - self._idle_since < MISSED_SECONDS:
            return False
        self._idle_since = None
        return True

    def _why(self, row: Row) -> str:
        """The one line of an experiment that failed."""
        lines = self._queue.log(row.rev).splitlines()
        told = [line.removeprefix(LINE) for line in lines if line.startswith(LINE)]
        if told:
            return told[0]
        if row.progress.exit in (Exit.INTERRUPTED, Exit.TERMINATED):
            return "it was stopped"
        if row.progress.error:
            return row.progress.error
        errors = [line for line in lines if line.startswith("ERROR")]
        return errors[-1] if errors else "its process ended without a word"


def doing(row: Row, steps: int | None) -> str:
    """What an experiment does now, or what came of it."""
    progress = row.progress
    if row.state is State.FAILED:
        return row.error
    if row.state is State.FINISHED:
        quality = progress.numbers.get(QUALITY)
        return "" if quality is None else f"{quality:.4f} bits per byte"
    if row.state is State.QUEUED or progress.stage not in STAGES:
        return ""
    if progress.stage != "train":
        return progress.stage
    text = f"train {progress.step:,}" + (f" of {steps:,}" if steps else "")
    return text if progress.loss is None else f"{text}, validation loss {progress.loss:.3f}"
