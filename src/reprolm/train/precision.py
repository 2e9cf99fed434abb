"""Half precision: what is computed in it, and the scale that keeps small gradients of float16 alive."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from reprolm.errors import Exit, refuse

TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
FIRST_SCALE, PATIENCE_STEPS = 2.0**16, 2000


@dataclass
class LossScale:
    """The loss is multiplied by `scale`, gradients are divided by it (Micikevicius et al. 2018).

    arXiv:1710.03740. A step whose gradient overflows is left out and halves the scale; 2,000 clean steps
    double it. One scale serves all optimizers: a step is left out of all or none.
    """

    scale: float = 1.0
    clean_steps: int = 0

    def unscale(self, tensors: Iterable[Tensor]) -> None:
        """Divides the gradients by the scale."""
        gradients = [tensor.grad for tensor in tensors if tensor.grad is not None]
        torch._foreach_mul_(gradients, 1 / self.scale)

    def update(self, *, overflowed: bool) -> None:
        """Learns from a step.

        Raises:
            ReprolmError: even a scale of 1 overflows (exit 72).
        """
        self.clean_steps = 0 if overflowed else self.clean_steps + 1
        if overflowed:
            self.scale /= 2
        elif self.clean_steps == PATIENCE_STEPS:
            self.scale, self.clean_steps = self.scale * 2, 0
        if self.scale < 1:
            what, want = "lets gradients overflow at every loss scale", "bfloat16 or float32"
            raise refuse("train.precision", what, got="float16", want=want, exit=Exit.DIVERGED)


class Precision:
    """What the forward pass is computed in; weights, gradients and optimizer stay in float32."""

    def __init__(self, kind: str, device: torch.device) -> None:
        self.type, self.device = TYPES[kind], device
        self.scale = LossScale(FIRST_SCALE) if kind == "float16" else None

    def computing(self) -> AbstractContextManager[object]:
        """The context of a forward pass."""
        half = self.type != torch.float32
        return torch.autocast(self.device.type, self.type) if half else nullcontext()

    def scaled(self, objective: Tensor) -> Tensor:
        """What the gradient is taken of."""
        return objective if self.scale is None else objective * self.scale.scale
