"""What a checkpoint has to hold: a run that forgets any one thing in its resumption publishes something else.

Each row names what is forgotten and a cell that this breaks; the same cell is whole where nothing is. What
the watch over a curve remembers is forgotten field by field in `tests/diagnose/test_detect.py`, the parts of
a checkpoint's key in `test_key.py`. Rows that other programs have and this one has not: generators of random
numbers (draws follow from the seed and the step; each cell resumes with generators that stand elsewhere),
where the data stand and the tokens seen (they follow from the step), updates of the average (as many as
steps), the learning rate (a function of the step and the plateau), buffers of the model (constants), master
weights (weights are float32 throughout), gradients (a step ends before it is saved), the place in a journal
(the curve stands in the checkpoint).
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from reprolm.data.batches import Batch
from reprolm.diagnose.detect import Memory as DetectorMemory
from reprolm.diagnose.series import Series
from reprolm.model.storage import put_weights, weights
from reprolm.optim.schedule import Plateau
from reprolm.train.checkpoint import Checkpoints, State, Tensors
from reprolm.train.precision import LossScale
from reprolm.train.step import Step
from tests.settings import raw
from tests.train.cells import FIRST_SCALE, Cell, Made, left, quick_and_harsh

Forget = Callable[[State, Tensors, Tensors], None]
"""Makes one thing what it was at the start: of the state and the tensors, by those of a fresh run."""

PATIENT = {"threshold": 0.5, "patience_validations": 2}
CELLS: dict[str, tuple[Cell, dict[str, Any]]] = {
    "scaled": (
        {"precision": "float16", "average": "ema", "optimizer": "amsgrad", "schedule": "plateau"},
        {"steps": 10, "saved": 5, "plateau": raw("train")["plateau"] | PATIENT},
    ),
    "lion": ({"optimizer": "lion"}, {}),
    "muon": ({"optimizer": "muon"}, {}),
    "sgd": ({"optimizer": "sgd"}, {}),
    "worsening": (
        {"optimizer": "adamw"},
        {"learning_rate": 3.0, "schedule": "constant", "warmup_steps": 0, "patience_validations": 4},
    ),
    "eventful": (
        {}, {"steps": 40, "saved": 30, "events": raw("train")["events"] | {"explosion_factor": 1.01}},
    ),
    "halved": ({"dropout": "dropout"}, {"on_out_of_memory": "halve"}),
}  # fmt: skip


def _weights(state: State, tensors: Tensors, fresh: Tensors) -> None:
    put_weights(tensors.model, weights(fresh.model))


def _average(state: State, tensors: Tensors, fresh: Tensors) -> None:
    assert tensors.average is not None
    assert fresh.average is not None
    tensors.average.put(fresh.average.tensors)


def _best(state: State, tensors: Tensors, fresh: Tensors) -> None:
    tensors.best = fresh.best


def _series(state: State, tensors: Tensors, fresh: Tensors) -> None:
    tensors.series.put(Series().tensors())


def _moments(name: str, state: State, tensors: Tensors, fresh: Tensors) -> None:
    found = [moved[name] for each in tensors.optimizers for moved in each.state.values() if name in moved]
    assert found
    for tensor in found:
        tensor.zero_()


def _field(name: str, state: State, tensors: Tensors, fresh: Tensors) -> None:
    assert getattr(state, name) != getattr(State(), name)
    setattr(state, name, getattr(State(), name))


def _part(group: str, name: str, value: Any, state: State, tensors: Tensors, fresh: Tensors) -> None:
    assert getattr(state, group)[name] != value
    getattr(state, group)[name] = value


ROWS: dict[str, tuple[Forget, str]] = {
    "weights": (_weights, "scaled"),
    "average": (_average, "scaled"),
    "best weights": (_best, "worsening"),
    "series": (_series, "scaled"),
    **{name: (partial(_moments, name), "scaled")
       for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step")},
    "momentum of lion": (partial(_moments, "momentum"), "lion"),
    "momentum of muon": (partial(_moments, "momentum"), "muon"),
    "momentum of sgd": (partial(_moments, "momentum_buffer"), "sgd"),
    "position": (partial(_field, "step"), "scaled"),
    "best loss": (partial(_field, "best_loss"), "worsening"),
    "best step": (partial(_field, "best_step"), "worsening"),
    "early stop": (partial(_field, "validations_without_best"), "worsening"),
    "halved size": (partial(_field, "micro_batch_size"), "halved"),
    "curve": (partial(_field, "curve"), "scaled"),
    **{f"loss {name}": (partial(_part, "loss_scale", name, value), "scaled")
       for name, value in (("scale", FIRST_SCALE), ("clean_steps", 0))},
    **{f"plateau {field.name}": (partial(_part, "plateau", field.name, field.default), "scaled")
       for field in fields(Plateau)},
    "stations": (partial(_part, "watch", "stations", {}), "scaled"),
    "events": (partial(_part, "watch", "detector", asdict(DetectorMemory())), "eventful"),
}  # fmt: skip


class Hungry(Step):
    """Has memory for two sequences."""

    def _part(self, batch: Batch, rows: range) -> dict[str, torch.Tensor]:
        if len(rows) > 2:
            raise MemoryError
        return super()._part(batch, rows)


@dataclass
class Stopped:
    """A run that was stopped, and what one that never was has left."""

    made: Made
    whole: dict[str, Any]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Stopped]]:
    """By the name of a cell; each is run once."""
    known: dict[str, Stopped] = {}

    def found(name: str) -> Stopped:
        if name not in known:
            cell, changes = CELLS[name]
            made = Made(tmp_path_factory.mktemp(name), cell, **changes)
            with pytest.MonkeyPatch.context() as patched:
                if name == "halved":  # there will be more memory later
                    patched.setattr("reprolm.train.loop.Step", Hungry)
                whole = left(made.whole(), made.directory / "out-whole")
                made.stopped()
            assert left(made.resumed(), made.directory / "out") == whole
            known[name] = Stopped(made, whole)
        return known[name]

    with pytest.MonkeyPatch.context() as patched:
        quick_and_harsh(patched)
        yield found


@pytest.mark.parametrize("row", ROWS)
def test_a_run_that_forgets_it_publishes_something_else(
    stopped: Callable[[str], Stopped], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str
) -> None:
    forget, cell = ROWS[row]
    made, whole = stopped(cell).made, stopped(cell).whole
    restore = Checkpoints.restore

    def forgetful(self: Checkpoints, tensors: Tensors) -> State:
        fresh = deepcopy(tensors)
        state = restore(self, tensors)
        forget(state, tensors, fresh)
        return state

    monkeypatch.setattr(Checkpoints, "restore", forgetful)
    assert left(made.resumed(), tmp_path) != whole


def test_each_field_of_a_checkpoint_s_state_is_forgotten_in_a_row() -> None:
    rows = [forget for forget, _ in ROWS.values() if isinstance(forget, partial)]
    forgotten = {row.args[0] for row in rows if row.func in (_field, _part)}
    assert forgotten == {field.name for field in fields(State)}
    assert {f"loss {field.name}" for field in fields(LossScale)} <= set(ROWS)
