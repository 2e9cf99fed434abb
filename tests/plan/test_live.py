"""Counting bytes, and doing so on shapes alone."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from reprolm.model.config import ModelConfig
from reprolm.plan.live import Live, Shapes
from reprolm.plan.rehearsal import rehearsal, validate
from tests.model.combinations import combinations, name
from tests.settings import model_config, train_config

CPU = torch.device("cpu")
SAMPLE = list(combinations())[::29]
STEPS: list[dict[str, Any]] = [
    {"optimizer": "adamw"},
    {"optimizer": "muon", "micro_batch_size": 2},
    {"activation_checkpointing": True},
    {"precision": "bfloat16"},
    {"windows": "isolated"},
    {"windows": "padded"},
    {"loss": "chunked", "optimizer": "lion"},
]


def phases(live: Live, model: ModelConfig, **changes: Any) -> Iterator[int]:
    """The most bytes of each phase of two steps and a validation."""
    torch.manual_seed(0)
    with live:
        step = rehearsal(model, train_config(**changes), 50, CPU)
        for index in range(2):
            with live.highest() as batch:
                step.train_batch(index)
            with live.highest() as optimizers:
                step.optim_step(index)
            yield from (*batch, *optimizers, live.bytes)
        with live.highest() as validation:
            validate(step, 128)
        yield from validation


@pytest.mark.parametrize("kinds", SAMPLE, ids=name)
def test_shapes_alone_tell_what_a_real_step_of_any_architecture_holds(kinds: dict[str, Any]) -> None:
    model = model_config(**kinds, dropout=0.1 if kinds["norm_placement"] == "pre" else 0.0)
    one_in = model.moe.n_experts if model.feedforward == "moe" else 1
    real = list(phases(Live(CPU), model))
    # which expert a token goes to hangs on values
    assert list(phases(Shapes(CPU, one_in), model)) == pytest.approx(real, rel=0.15 if one_in > 1 else 1e-3)


@pytest.mark.parametrize("changes", STEPS, ids=str)
def test_shapes_alone_tell_what_any_way_to_train_holds(changes: dict[str, Any]) -> None:
    real = list(phases(Live(CPU), model_config(), **changes))
    assert list(phases(Shapes(CPU), model_config(), **changes)) == pytest.approx(real, rel=1e-3)


def test_a_storage_counts_once_and_until_nothing_refers_to_it() -> None:
    with Live(CPU) as live:
        tensor = torch.empty(1000)
        view = tensor[:10].view(2, 5)
        assert live.bytes == 4000
        del tensor
        assert live.bytes == 4000
        del view
        assert live.bytes == 0
    assert live.peak_bytes == 4000


def test_the_highest_of_a_block_is_its_own_and_the_peak_that_of_all() -> None:
    with Live(CPU) as live:
        with live.highest() as first:
            torch.empty(1000)
        with live.highest() as second:
            torch.empty(10)
    assert (first, second, live.peak_bytes) == ([4000], [40], 4000)


def test_a_model_far_larger_than_memory_is_counted() -> None:
    with Shapes(CPU) as live:
        torch.empty(10**13)
    assert live.peak_bytes == 4 * 10**13
