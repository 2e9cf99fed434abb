"""Checkpoints: outside what DVC deletes, keyed by everything that changes bits, found again after a kill."""

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from reprolm.diagnose.series import Series
from reprolm.errors import Exit, ReprolmError, refuse
from reprolm.model.storage import put_weights, read_tensors, weights, write_tensors
from reprolm.model.transformer import Transformer
from reprolm.optim.average import Average
from reprolm.optim.groups import put_state_tensors, state_tensors
from reprolm.store import prune, publish_directory, publish_json, read_json, verified

KEPT = 2


@dataclass
class State:
    """Where training stands, besides the tensors: data order, schedule and dropout follow from `step`."""

    step: int = 0
    best_loss: float | None = None
    best_step: int = 0
    validations_without_best: int = 0
    micro_batch_size: int | None = None
    """Sequences at once, which memory may have halved."""
    loss_scale: dict[str, Any] | None = None
    """That of float16."""
    plateau: dict[str, Any] | None = None
    """What the schedule of that name remembers."""
    watch: dict[str, Any] | None = None
    """What was told of the steps so far, for the events of the next ones."""
    curve: int = 0
    """A checksum of the curve so far, which a resumed run goes on with."""


@dataclass
class Tensors:
    """What training moves: the model, its optimizers, and the weights that scored best so far."""

    model: Transformer
    optimizers: list[Optimizer]
    best: dict[str, Tensor]
    average: Average | None = None
    series: Series = field(default_factory=Series)


class Checkpoints:
    """The checkpoints of one configuration, in one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def save(self, state: State, tensors: Tensors) -> None:
        """Publishes a checkpoint and removes all but the newest two."""
        with publish_directory(self.directory / f"step-{state.step:09d}") as out:
            write_tensors(out / "model.safetensors", weights(tensors.model))
            write_tensors(out / "optimizer.safetensors", state_tensors(tensors.optimizers, tensors.model))
            write_tensors(out / "best.safetensors", tensors.best)
            write_tensors(out / "series.safetensors", tensors.series.tensors())
            if tensors.average is not None:
                write_tensors(out / "average.safetensors", tensors.average.tensors)
            publish_json(out / "state.json", asdict(state))
        for old in self._steps()[:-KEPT]:
            prune(old)

    def restore(self, tensors: Tensors, problem: Callable[[State], str]) -> State:
        """Puts the newest undamaged checkpoint into `tensors`; a fresh state if there never was one.

        `problem` says what else is wrong with a state, and nothing if nothing is.

        Raises:
            ReprolmError: all that are there are damaged (exit 76); training never restarts silently.
        """
        found = self._steps()
        for path in reversed(found):
            try:
                return _read(path, tensors, problem)
            except ReprolmError as error:
                print(f"reprolm: warning: {error}; taking the checkpoint before it", file=sys.stderr)
        if found:
            want = "a whole checkpoint; remove this directory to train from the start"
            raise refuse(
                str(self.directory), "holds only damaged checkpoints", want=want, exit=Exit.INTEGRITY
            )
        return State()

    def _steps(self) -> list[Path]:
        return sorted(self.directory.glob("step-*"))


def _read(path: Path, tensors: Tensors, problem: Callable[[State], str]) -> State:
    verified(path)
    state = State(**read_json(path / "state.json"))
    if found := problem(state):
        raise refuse(str(path), "cannot be resumed", got=found, exit=Exit.INTEGRITY)
    model = read_tensors(path / "model.safetensors")
    optimizer = read_tensors(path / "optimizer.safetensors")
    tensors.series.put(read_tensors(path / "series.safetensors"))
    tensors.best = read_tensors(path / "best.safetensors")
    if tensors.average is not None:
        tensors.average.put(read_tensors(path / "average.safetensors"))
    put_weights(tensors.model, model)
    put_state_tensors(tensors.optimizers, tensors.model, optimizer)
    return state
