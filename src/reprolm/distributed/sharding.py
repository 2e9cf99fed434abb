"""FSDP: each process holds a part of each tensor, and all of it only while a layer is computed."""

from collections.abc import Iterable

import torch
from torch import nn

from reprolm.distributed.world import World


def shard(model: nn.Module, layers: Iterable[nn.Module], world: World, device: torch.device) -> None:
    """Divides the tensors of a model over the processes (Zhao et al. 2023, arXiv:2304.11277; FSDP2 of torch).

    A layer is gathered when it is computed, forward and backward; what lies in no layer, at the ends of the
    model, stays whole from the forward pass to the end of the backward pass. Gradients are summed, not
    averaged. All processes must have the same weights before.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(device.type, (world.size,))
    for layer in layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh, reshard_after_forward=False)
    # the loss in chunks asks for what comes before the head, and then uses the head's weights
    register_fsdp_forward_method(model, "hidden")
    for part in model.modules():
        if isinstance(part, FSDPModule):
            part.set_gradient_divide_factor(1.0)
            # gloo knows no other reduction
            part.set_force_sum_reduction_for_comms(True)


def rest(model: nn.Module) -> None:
    """Gives back what the last forward pass gathered, where no backward pass does."""
    if type(model).__name__.startswith("FSDP"):
        model.reshard()  # type: ignore[operator]
