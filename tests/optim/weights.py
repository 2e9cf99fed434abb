"""Weights with gradients that are a function of the step."""

from collections.abc import Iterable, Sequence

import torch
from torch import nn

SHAPES = ((7, 5), (5,), (3, 4))


def normal(shape: Sequence[int], seed: int) -> torch.Tensor:
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed))


def weights(dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
    return [nn.Parameter(normal(shape, i).to(dtype)) for i, shape in enumerate(SHAPES)]


def put_gradients(tensors: Iterable[torch.Tensor], step: int) -> None:
    """Gradients that vary in size by two orders of magnitude, each step others."""
    for i, tensor in enumerate(tensors):
        tensor.grad = (normal(tensor.shape, 1000 * step + i) * 10 ** (step % 3 - 1)).to(tensor.dtype)


def distance(one: Iterable[torch.Tensor], other: Iterable[torch.Tensor]) -> float:
    return max((a - b).abs().max().item() for a, b in zip(one, other, strict=True))
