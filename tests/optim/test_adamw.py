"""AdamW from scratch."""

from typing import Any

import pytest
import torch

from reprolm.optim.adamw import AdamW
from tests.optim.weights import distance, put_gradients, weights

BASE = {"lr": 1e-3, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.1, "amsgrad": False}


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"betas": (0.0, 0.999)},
        {"betas": (0.95, 0.0)},
        {"eps": 1e-3},
        {"weight_decay": 0.0},
        {"lr": 1e-2, "weight_decay": 2.0},
        {"amsgrad": True},
        {"amsgrad": True, "betas": (0.8, 0.5), "eps": 1e-4},
    ],
    ids=str,
)
def test_it_is_that_of_torch_after_a_thousand_steps(change: dict[str, Any], fused: bool) -> None:
    options = BASE | change
    ours, theirs = weights(), weights()
    mine, foreign = AdamW(ours, **options), torch.optim.AdamW(theirs, fused=fused, **options)
    for step in range(1000):
        put_gradients(ours, step)
        for a, b in zip(ours, theirs, strict=True):
            b.grad = a.grad
        mine.step()
        foreign.step()
    assert distance(ours, theirs) < 1e-6
    assert distance(ours, weights()) > 0.01


def test_a_weight_without_a_gradient_stays_and_counts_its_own_steps() -> None:
    ours, theirs = weights(), weights()
    mine, foreign = AdamW(ours, **BASE), torch.optim.AdamW(theirs, **BASE)
    for step in range(6):
        for tensors in (ours, theirs):
            put_gradients(tensors, step)
            if step % 2:
                tensors[0].grad = None
        mine.step()
        foreign.step()
    assert distance(ours, theirs) < 1e-7
    assert [mine.state[weight]["step"].item() for weight in ours] == [3, 6, 6]


def test_the_options_of_a_group_are_its_own() -> None:
    ours, theirs = weights(), weights()
    groups = [[{"params": t[:1], "lr": 0.1}, {"params": t[1:], "weight_decay": 0.0}] for t in (ours, theirs)]
    mine, foreign = AdamW(groups[0], **BASE), torch.optim.AdamW(groups[1], **BASE)
    for step in range(3):
        for tensors in (ours, theirs):
            put_gradients(tensors, step)
        mine.step()
        foreign.step()
    assert distance(ours, theirs) < 1e-6
