"""The average of the weights over the steps, which scores better than the weights themselves."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from reprolm.distributed.layout import laid_as, whole


class Average:
    """a ← d·a + (1 − d)·w after each step (Morales-Brotons et al. 2024, arXiv:2411.18704).

    d = min(decay, (1 + t) / (10 + t)) after t steps: the initial weights are noise, and soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay = model, decay
        self.tensors: dict[str, Tensor] = {
            name: weight.detach().clone() for name, weight in model.named_parameters()
        }

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Takes in the weights after so many steps."""
        decay = min(self.decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(list(self.tensors.values()), list(self.model.parameters()), 1 - decay)

    def put(self, tensors: dict[str, Tensor]) -> None:
        """Restores `tensors`, from any device."""
        for name, tensor in tensors.items():
            self.tensors[name].copy_(laid_as(tensor, self.tensors[name]))

    def whole(self) -> dict[str, Tensor]:
        """All of each tensor; where processes hold parts of them, all must ask."""
        return {name: whole(tensor) for name, tensor in self.tensors.items()}

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within it the model has the average; afterwards its own weights, the same bits."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for name, weight in self.model.named_parameters():
            own = weight.clone()
            weight.copy_(self.tensors[name])
            self.tensors[name].copy_(own)
