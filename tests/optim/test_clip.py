"""Clipping gives the bits of torch's own, and the norm of each tensor."""

import math

import pytest
import torch
from torch import nn

from reprolm.optim.clip import clip


def tensors(without: int | None = None) -> list[nn.Parameter]:
    source = torch.Generator().manual_seed(3)
    made = [nn.Parameter(torch.zeros(shape)) for shape in ((40, 7), (3,), (128, 65), (1, 1))]
    for index, parameter in enumerate(made):
        if index != without:
            parameter.grad = torch.randn(parameter.shape, generator=source)
    return made


@pytest.mark.parametrize("without", [None, 1])
@pytest.mark.parametrize("limit", [0.5, 1e6, math.inf])
def test_gradients_and_norm_have_the_bits_of_torch(limit: float, without: int | None) -> None:
    ours, theirs = tensors(without), tensors(without)
    total, norms = clip(ours, limit)
    assert torch.equal(total, torch.nn.utils.clip_grad_norm_(theirs, limit))
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine.grad is None) == (other.grad is None)
        assert mine.grad is None or other.grad is None or torch.equal(mine.grad, other.grad)
    before = [p.grad.norm().item() if p.grad is not None else 0.0 for p in tensors(without)]
    assert norms.tolist() == pytest.approx(before)
