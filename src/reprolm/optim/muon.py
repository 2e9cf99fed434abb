"""Muon: momentum whose step is made orthogonal, for the matrices inside the blocks."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from reprolm.distributed.layout import laid_as, whole

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalised(matrix: Float[Tensor, "*batch M N"], steps: int) -> Float[Tensor, "*batch M N"]:
    """Nearly U·Vᵀ of the matrix U·S·Vᵀ: its singular values are driven towards 1 (to about 0.7 … 1.2).

    X ← a·X + (b·A + c·A²)·X with A = X·Xᵀ, the quintic Newton-Schulz iteration of Jordan et al. 2024 ("Muon:
    an optimizer for hidden layers in neural networks").
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.mT if tall else matrix
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def _blocks(matrix: Float[Tensor, "M N"]) -> Float[Tensor, "count S S"]:
    """A matrix whose long side is a multiple of the short one, as a stack of squares."""
    M, N = matrix.shape
    if M >= N:
        return matrix.view(M // N, N, N)
    return matrix.view(M, N // M, M).transpose(0, 1)


def _joined(blocks: Float[Tensor, "count S S"], shape: torch.Size) -> Float[Tensor, "M N"]:
    return blocks.reshape(shape) if shape[0] >= shape[1] else blocks.transpose(0, 1).reshape(shape)


class Muon(torch.optim.Optimizer):
    """w ← w·(1 − lr·decay) − lr·√max(1, M/N)·orthogonalised(Nesterov momentum of the gradient).

    Jordan et al. 2024, with one deviation: a matrix whose long side is k times the short one is treated as k
    squares, each made orthogonal by itself. Products are smaller, and all layers' squares are one batch.
    """

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, momentum: float, weight_decay: float, steps: int
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.steps = steps

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """Applies the gradients."""
        for group in self.param_groups:
            same: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = {}
            for weight in group["params"]:
                momentum = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                momentum.lerp_(weight.grad, 1 - group["momentum"])
                # the iteration needs the whole matrix
                update = whole(weight.grad.lerp(momentum, group["momentum"]))
                long, short = max(update.shape), min(update.shape)
                stack = _blocks(update) if long % short == 0 else update[None]
                same.setdefault(tuple(stack.shape[1:]), []).append((weight, stack))
            for pairs in same.values():
                self._apply(pairs, group)

    def _apply(self, pairs: list[tuple[Tensor, Tensor]], group: dict[str, Any]) -> None:
        """Steps all weights whose blocks have one shape."""
        stacks = [stack for _, stack in pairs]
        results = orthogonalised(torch.cat(stacks), self.steps).split_with_sizes([len(s) for s in stacks])
        for (weight, stack), result in zip(pairs, results, strict=True):
            update = _joined(result, weight.shape) if len(stack) > 1 else result[0]
            scale = max(1.0, result.shape[1] / result.shape[2]) ** 0.5
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.add_(laid_as(update, weight), alpha=-group["lr"] * scale)
