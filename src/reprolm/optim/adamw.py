"""AdamW from scratch: the readable twin of torch's fused one, which is faster."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from reprolm.optim.bundles import bundles


class AdamW(torch.optim.Optimizer):
    """Adam (Kingma & Ba 2015, arXiv:1412.6980) with decoupled decay (Loshchilov & Hutter, arXiv:1711.05101).

    m ← β₁·m + (1 − β₁)·g and v ← β₂·v + (1 − β₂)·g² start at zero; divided by 1 − β₁ᵗ and 1 − β₂ᵗ they are
    means. Then w ← w·(1 − lr·decay) − lr·m̂ / (√v̂ + ε). With `amsgrad` (Reddi et al. 2018, arXiv:1904.09237)
    v̂ is taken from the largest v so far.
    """

    def __init__(self, parameters: Iterable[Tensor] | Iterable[dict[str, Any]], **options: Any) -> None:
        """`options` are lr, betas, eps, weight_decay and amsgrad, as torch calls them."""
        super().__init__(parameters, options)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """Applies the gradients."""
        for group in self.param_groups:
            for weights, gradients in bundles(group):
                self._apply(weights, gradients, group)

    def _state(self, weight: Tensor, amsgrad: bool) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[weight]
        if not state:
            # on the CPU: to read it does not wait for a GPU
            state["step"] = torch.zeros(())
            for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 3 if amsgrad else 2]:
                state[name] = torch.zeros_like(weight)
        state["step"] = state["step"].cpu() + 1
        return state

    def _apply(self, weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
        states = [self._state(weight, group["amsgrad"]) for weight in weights]
        steps = [state["step"].item() for state in states]
        means, squares = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq"))
        (beta1, beta2), lr = group["betas"], group["lr"]
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
        if group["amsgrad"]:
            largest = [state["max_exp_avg_sq"] for state in states]
            torch._foreach_maximum_(largest, squares)
            squares = largest
        scales = torch._foreach_sqrt(squares)
        torch._foreach_div_(scales, [math.sqrt(1 - beta2**step) for step in steps])
        torch._foreach_add_(scales, group["eps"])
        if group["weight_decay"]:
            torch._foreach_mul_(weights, 1 - lr * group["weight_decay"])
        torch._foreach_addcdiv_(weights, means, scales, [-lr / (1 - beta1**step) for step in steps])
