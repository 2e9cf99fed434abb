"""The points of a run: in a journal beside its checkpoints, and told to whoever records it."""

import functools
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from reprolm.journal import Journal, read
from reprolm.store import canonical
from reprolm.train.checkpoint import State


class Recorder(Protocol):
    """Takes the points of the curves; training does not know who listens."""

    def point(self, step: int, values: Mapping[str, float], at: float) -> None:
        """Numbers that hold after `step` steps, at a time in seconds since 1970."""


def _chained(sum_before: int, record: dict[str, Any]) -> int:
    """A checksum of all records up to one."""
    return zlib.crc32(canonical(record).encode(), sum_before)


class Curve:
    """`curve.jsonl` in a run's directory; the state of the run holds a checksum of it."""

    def __init__(self, directory: Path, recorder: Recorder) -> None:
        self.path, self.recorder = directory / "curve.jsonl", recorder
        self._journal = Journal(self.path)

    def records(self) -> list[dict[str, Any]]:
        """All points so far."""
        return read(self.path)[0]

    def _until(self, step: int) -> list[dict[str, Any]]:
        return [record for record in self.records() if record["step"] <= step]

    def problem(self, state: State) -> str:
        """What is wrong with the curve as the record of how a checkpoint came about, if anything is."""
        whole = functools.reduce(_chained, self._until(state.step), 0) == state.curve
        return "" if whole else f"{self.path} does not lead to it"

    def replay(self, state: State) -> None:
        """Tells the recorder what happened up to the checkpoint; what came after it will happen again."""
        kept = self._until(state.step)
        self._journal.rewrite(kept)
        for record in kept:
            self.recorder.point(record["step"], record["values"], record["at"])

    def add(self, state: State, values: dict[str, float]) -> None:
        """Adds a point."""
        at = time.time()
        record = {"step": state.step, "at": at, "values": values}
        self._journal.append(record)
        state.curve = _chained(state.curve, record)
        self.recorder.point(state.step, values, at)

    def sync(self) -> None:
        """Makes every point durable."""
        self._journal.sync()


class Unwritten(Curve):
    """The curve in a process that is not the one that records."""

    def __init__(self) -> None:
        pass

    def records(self) -> list[dict[str, Any]]:
        """None."""
        return []

    def replay(self, state: State) -> None:
        """Nothing to tell."""

    def add(self, state: State, values: dict[str, float]) -> None:
        """Nothing to add."""

    def sync(self) -> None:
        """Nothing to sync."""
