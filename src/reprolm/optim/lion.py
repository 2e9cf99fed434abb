"""Lion: momentum of which only the signs are taken."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from reprolm.optim.bundles import bundles


class Lion(torch.optim.Optimizer):
    """w ← w·(1 − lr·decay) − lr·sign(β₁·m + (1 − β₁)·g), then m ← β₂·m + (1 − β₂)·g.

    Chen et al. 2023, arXiv:2302.06675. Each number moves by lr at each step, so that lr is 3 to 10 times
    lower, and the decay as much higher, than AdamW's.
    """

    def __init__(self, parameters: Iterable[Tensor] | Iterable[dict[str, Any]], **options: Any) -> None:
        """`options` are lr, betas and weight_decay."""
        super().__init__(parameters, options)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """Applies the gradients."""
        for group in self.param_groups:
            (beta1, beta2), lr = group["betas"], group["lr"]
            for weights, gradients in bundles(group):
                means = [self._momentum(weight) for weight in weights]
                signs = torch._foreach_lerp(means, gradients, 1 - beta1)
                torch._foreach_sign_(signs)
                torch._foreach_lerp_(means, gradients, 1 - beta2)
                if group["weight_decay"]:
                    torch._foreach_mul_(weights, 1 - lr * group["weight_decay"])
                torch._foreach_add_(weights, signs, alpha=-lr)

    def _momentum(self, weight: Tensor) -> Tensor:
        state: dict[str, Tensor] = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        return state["momentum"]
