"""Tensors of which each process holds a part."""

import sys

from torch import Tensor


def divided(tensor: Tensor) -> bool:
    """Whether each process holds a part of a tensor."""
    # to import the module takes half a second, and before that there is no such tensor
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor that is divided over processes, for which each of them must ask; else itself."""
    return tensor.full_tensor() if divided(tensor) else tensor  # type: ignore[attr-defined]


def laid_as(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, the same in all processes, divided as `like` is; itself if `like` is not."""
    if not divided(like):
        return tensor
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(like, DTensor)
    # each process cuts its part out of its own copy: nothing is sent
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
