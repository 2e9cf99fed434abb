"""Clipping of the gradient by its norm, which also tells the norm of each tensor."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reprolm.distributed.layout import whole


@torch.no_grad()
def clip(parameters: Sequence[nn.Parameter], limit: float) -> tuple[Tensor, Float[Tensor, " n"]]:
    """g ← g · min(1, limit / (‖g‖ + 1e-6)) over all tensors together (Pascanu et al. 2013, arXiv:1211.5063).

    Returns ‖g‖ and the norm of each tensor, 0 where it has no gradient, both before clipping: the bits of
    torch's `clip_grad_norm_`, which throws the single norms away.
    """
    there = [index for index, parameter in enumerate(parameters) if parameter.grad is not None]
    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = whole(torch.stack(torch._foreach_norm(gradients)))
    total = torch.linalg.vector_norm(norms)
    # to multiply by one changes nothing; on a GPU to ask whether it is one would wait for it
    if total.device.type != "cpu" or not float(total) + 1e-6 <= limit:
        torch.nn.utils.clip_grads_with_norm_(parameters, limit, total)
    if len(there) == len(parameters):
        return total, norms
    return total, norms.new_zeros(len(parameters)).index_copy_(
        0, torch.tensor(there, device=norms.device), norms
    )
