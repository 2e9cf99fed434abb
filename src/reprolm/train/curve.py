"""The points of a run: a part of its checkpoints, and told to whoever records them."""

import time
from collections.abc import Mapping
from typing import Protocol

from reprolm.train.checkpoint import State


class Recorder(Protocol):
    """Takes the points of the curves; training does not know who listens."""

    def point(self, step: int, values: Mapping[str, float], at: float) -> None:
        """Numbers that hold after `step` steps, at a time in seconds since 1970."""


def add(state: State, values: dict[str, float], recorder: Recorder) -> None:
    """Adds a point to the curve and tells it."""
    at = time.time()
    state.curve.append({"step": state.step, "at": at, "values": values})
    recorder.point(state.step, values, at)


def replay(state: State, recorder: Recorder) -> None:
    """Tells what happened up to a checkpoint; what came after it will happen again."""
    for record in state.curve:
        recorder.point(record["step"], record["values"], record["at"])
