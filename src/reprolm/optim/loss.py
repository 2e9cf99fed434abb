"""Cross-entropy from scratch, without ever holding the logits of all tokens."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_LOGITS = 2**24
"""At once: 64 MiB of float32 (`benchmarks/cross_entropy.py`)."""
IGNORED = -100
"""A target that is none."""


class Head(NamedTuple):
    """What makes logits of channels: c · tanh((h·Wᵀ + b) / c), without the cap c where it is null."""

    weight: Float[Tensor, "V D"]
    bias: Float[Tensor, " V"] | None = None
    soft_cap: float | None = None

    def detached(self) -> "Head":
        """The same, without gradients."""
        return Head(self.weight.detach(), None if self.bias is None else self.bias.detach(), self.soft_cap)


def summed_nats(
    hidden: Float[Tensor, "N D"], head: Head, targets: Int[Tensor, " N"]
) -> tuple[Float[Tensor, ""], Float[Tensor, " N"]]:
    """Σ −ln softmax(logits)[target] in float32, and its terms; a target of −100 counts 0.

    Logits exist for as many tokens at once as fit into `CHUNK_LOGITS`, and become gradients on the spot
    (Hsu et al. 2024, arXiv:2410.10989), so that nothing is computed twice. The sum has gradients, its terms
    have none. Under autocast products are computed in its type, all else in float32.
    """
    if not torch.is_grad_enabled():  # which the function below cannot see by itself
        hidden, head = hidden.detach(), head.detached()
    total, nats = _ChunkedCrossEntropy.apply(hidden, *head, targets)  # type: ignore[no-untyped-call]
    return total, nats


def _type(tensor: Tensor) -> torch.dtype:
    """What products with a tensor are computed in."""
    kind = tensor.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else tensor.dtype


def _logits(hidden: Float[Tensor, "C D"], head: Head) -> Float[Tensor, "C V"]:
    """Capped, in float32 at least."""
    logits = hidden @ head.weight.T
    logits = logits.float() if logits.element_size() < 4 else logits
    if head.bias is not None:
        logits += head.bias
    return logits if head.soft_cap is None else logits.div_(head.soft_cap).tanh_().mul_(head.soft_cap)


def _to_gradient(
    logits: Float[Tensor, "C V"], targets: Int[Tensor, " C"], soft_cap: float | None
) -> Float[Tensor, " C"]:
    """Turns logits into the gradient before the cap, in their own place; returns −ln p of each target.

    d(−ln p)/dx = softmax(x) − one-hot, and the cap x = c·tanh(z/c) has the slope dx/dz = 1 − (x/c)².
    """
    counted = targets != IGNORED
    at = targets.where(counted, 0)[:, None]
    slope = None if soft_cap is None else 1 - (logits / soft_cap).square_()
    # seen from the largest, so that exp cannot overflow
    logits -= logits.amax(-1, keepdim=True)
    nats = -logits.gather(1, at)
    total = logits.exp_().sum(-1, keepdim=True)
    nats = (nats + total.log())[:, 0] * counted
    p = logits.div_(total)
    p.scatter_(1, at, p.gather(1, at) - 1).mul_(counted[:, None])
    if slope is not None:
        p.mul_(slope)
    return nats


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Goes forward and backward through the head in one pass over the tokens."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, soft_cap: float | None, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The sum and its terms; gradients of the sum are kept for `backward`."""
        wide = torch.promote_types(weight.dtype, torch.float32)
        kind = _type(hidden)
        h, head = hidden.to(kind), Head(weight.to(kind), bias, soft_cap)
        nats = torch.empty(len(targets), dtype=wide, device=hidden.device)
        d_hidden = torch.empty_like(h) if ctx.needs_input_grad[0] else None
        d_weight = torch.zeros_like(weight, dtype=wide) if ctx.needs_input_grad[1] else None
        d_bias = torch.zeros_like(bias, dtype=wide) if bias is not None and ctx.needs_input_grad[2] else None
        rows = max(1, CHUNK_LOGITS // len(weight))
        with torch.autocast(hidden.device.type, enabled=False):
            for chunk in map(slice, range(0, len(h), rows), range(rows, len(h) + rows, rows)):
                logits = _logits(h[chunk], head)
                nats[chunk] = _to_gradient(logits, targets[chunk], soft_cap)
                if d_bias is not None:
                    d_bias += logits.sum(0)
                logits = logits.to(kind)
                if d_hidden is not None:
                    torch.mm(logits, head.weight, out=d_hidden[chunk])
                if d_weight is not None:
                    _add_product(d_weight, logits.T, h[chunk])
        ctx.gradients = (d_hidden, d_weight, d_bias)
        ctx.mark_non_differentiable(nats)
        return nats.sum(), nats

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_total: Tensor, by_nats: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ARG004
        """The kept gradients, by that of the sum."""
        return (*(None if d is None else d * by_total for d in ctx.gradients), None, None)


def _add_product(to: Tensor, a: Tensor, b: Tensor) -> None:
    """Adds a·b in the type of `to`."""
    if to.dtype == a.dtype:
        to.addmm_(a, b)
    else:
        to += a @ b
