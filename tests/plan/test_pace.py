"""The pace of training."""

import itertools

import pytest
import torch

from reprolm.plan import pace as module
from reprolm.plan.pace import Pace, Size, pace
from tests.settings import model_config, train_config

CPU = torch.device("cpu")


def size(**changes: int | None) -> Size:
    return Size(model_config(context_length=512, n_layers=4), train_config(**changes), 50)


@pytest.fixture(autouse=True)
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEASURED_SECONDS", 0.0)


def test_a_small_model_is_measured_as_it_is() -> None:
    found = pace(size(batch_size=2), CPU)
    assert found.basis == "measured"
    assert found.step_seconds > 0
    assert found.validation_token_seconds > 0


def test_sizes_shrink_by_batch_then_layers_then_context_and_stay_valid() -> None:
    now: Size | None = size(batch_size=6, micro_batch_size=2)
    seen = []
    while now is not None:
        train, model = now.train, now.model
        seen.append((train.batch_size, model.n_layers, model.context_length))
        assert train.batch_size % (train.micro_batch_size or train.batch_size) == 0
        now = now.smaller()
    assert seen[0] == (6, 4, 512)
    assert seen[-1] == (1, 1, 128)
    assert len(set(seen)) == len(seen)
    for before, after in itertools.pairwise(seen):
        assert all(new <= old for old, new in zip(before, after, strict=True))


def test_what_takes_long_is_scaled_from_what_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_products_per_second", lambda *_: 1.0)
    monkeypatch.setattr(module, "_timed", lambda _: (2.0, 3.0))
    monkeypatch.setattr(module, "_validation", lambda _: 5.0)
    asked = size(batch_size=8)
    found = pace(asked, CPU)
    smallest = Size(model_config(context_length=128, n_layers=1), train_config(batch_size=1), 50)
    (all_parameters, all_flops), (parameters, flops) = asked.counted(), smallest.counted()
    step = 2.0 * (all_flops * 8 * 512) / (flops * 128) + 3.0 * all_parameters / parameters
    assert found == Pace(
        pytest.approx(step),  # type: ignore[arg-type]
        pytest.approx(5.0 * all_flops / flops),  # type: ignore[arg-type]
        "scaled from sequences 1 of 8, layers 1 of 4, context 128 of 512",
    )
