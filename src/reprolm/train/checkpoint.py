"""Checkpoints: outside what DVC deletes, keyed by everything that changes bits, found again after a kill."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from reprolm.diagnose.series import Series
from reprolm.distributed.world import ALONE, World
from reprolm.errors import Exit, ReprolmError, refuse
from reprolm.model.storage import put_weights, tensors_of, weights, write_tensors
from reprolm.model.transformer import Transformer
from reprolm.optim.average import Average
from reprolm.optim.groups import put_state_tensors, state_tensors
from reprolm.store import prune, publish_directory, publish_json, verified

KEPT = 2
STATE = "state.json"


@dataclass
class State:
    """Where training stands, besides the tensors: data order, schedule and dropout follow from `step`."""

    step: int = 0
    best_loss: float | None = None
    best_step: int = 0
    validations_without_best: int = 0
    micro_batch_size: int | None = None
    """Sequences at once, where memory has halved them."""
    loss_scale: dict[str, Any] | None = None
    """That of float16."""
    plateau: dict[str, Any] | None = None
    """What the schedule of that name remembers."""
    watch: dict[str, Any] | None = None
    """What was told of the steps so far, for the events of the next ones."""
    curve: list[dict[str, Any]] = field(default_factory=list)
    """The points so far: step, time in seconds since 1970, values by name."""


@dataclass
class Tensors:
    """What training moves: the model, its optimizers, and the weights that scored best so far.

    A range test, which may end before any are scored, begins with its first ones for the best.
    """

    model: Transformer
    optimizers: list[Optimizer]
    best: dict[str, Tensor] = field(default_factory=dict)
    average: Average | None = None
    series: Series = field(default_factory=Series)
    last: dict[str, Tensor] = field(default_factory=dict)
    """The weights at the end."""

    def files(self) -> dict[str, dict[str, Tensor]]:
        """The tensor files of a checkpoint; where processes hold parts of tensors, all must ask."""
        files = {
            "model.safetensors": weights(self.model),
            "optimizer.safetensors": state_tensors(self.optimizers, self.model),
            "best.safetensors": self.best,
            "series.safetensors": self.series.tensors(),
        }
        return files if self.average is None else files | {"average.safetensors": self.average.whole()}

    def put(self, read: Callable[[str], dict[str, Tensor]]) -> None:
        """Restores what `files` gave; `read` gives one of them by its name."""
        self.best = read("best.safetensors")
        self.series.put(read("series.safetensors"))
        if self.average is not None:
            self.average.put(read("average.safetensors"))
        put_weights(self.model, read("model.safetensors"))
        put_state_tensors(self.optimizers, self.model, read("optimizer.safetensors"))


class Checkpoints:
    """The checkpoints of one configuration, in one directory.

    Of several processes the first writes and reads; what it holds does not tell how many there were.
    """

    def __init__(self, directory: Path, world: World = ALONE) -> None:
        self.directory, self.world = directory, world

    def save(self, state: State, tensors: Tensors, sound: int | None = None) -> None:
        """Publishes a checkpoint, reads it again, and only then removes all but it and the one before.

        Where the run is sound only up to an earlier step, the newest up to that one stays too. Later ones go:
        the run has passed over them, for they are damaged.

        Raises:
            ReprolmError: what was read is not what was written (exit 76); the older ones are still there.
        """
        files = tensors.files()
        if not self.world.leads:
            return
        path = self.directory / f"step-{state.step:09d}"
        with publish_directory(path) as out:
            for name, content in files.items():
                write_tensors(out / name, content)
            publish_json(out / STATE, asdict(state))
        verified(path)
        passed = [other for other in self._steps() if other <= path]
        kept = {*passed[-KEPT:], self.newest_until(state.step if sound is None else sound)}
        for other in self._steps():
            if other not in kept:
                prune(other)

    def restore(self, tensors: Tensors) -> State:
        """Puts the newest undamaged checkpoint into `tensors`; a fresh state if there never was one.

        Raises:
            ReprolmError: all that are there are damaged (exit 76); training never restarts silently.
        """
        path = self._newest() if self.world.leads else None

        def read(name: str) -> bytes:
            return self.world.shared((path / name).read_bytes() if path else b"")

        told = read(STATE)
        if not told:
            return State()
        tensors.put(lambda name: tensors_of(read(name)))
        if not self.world.leads:
            tensors.best = {}
        return State(**json.loads(told))

    def _newest(self) -> Path | None:
        """The newest checkpoint that is whole; None if there never was one."""
        found = self._steps()
        for path in reversed(found):
            try:
                return verified(path)
            except ReprolmError as error:
                print(f"reprolm: warning: {error}; taking the checkpoint before it", file=sys.stderr)
        if found:
            want = "a whole checkpoint; remove this directory to train from the start"
            raise refuse(
                str(self.directory), "holds only damaged checkpoints", want=want, exit=Exit.INTEGRITY
            )
        return None

    def newest_until(self, step: int) -> Path | None:
        """The newest checkpoint up to a step, if there is one."""
        return max((path for path in self._steps() if int(path.name[5:]) <= step), default=None)

    def _steps(self) -> list[Path]:
        return sorted(self.directory.glob("step-*"))
