"""How much memory a run needs: its own steps and validation are run on shapes alone, and counted."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.optim import Optimizer

from reprolm.model.cache import Cache
from reprolm.model.config import ModelConfig
from reprolm.optim.average import Average
from reprolm.plan.live import Live, Shapes
from reprolm.plan.rehearsal import rehearsal, validate
from reprolm.train.config import TrainConfig
from reprolm.train.loop import VALIDATION_BATCH_TOKENS
from reprolm.train.step import Step, shares


@dataclass(frozen=True)
class Memory:
    """What a run holds, in bytes.

    On a GPU its memory is meant: the best weights and what is written to disk lie in that of the host.
    """

    weights_bytes: int
    gradients_bytes: int
    optimizer_bytes: dict[str, int]
    """The state of each optimizer."""
    average_bytes: int
    """The average of the weights, where there is one."""
    best_weights_bytes: int
    """The copy of the weights that scored best."""
    activations_bytes: int
    """What the blocks keep of a part of the batch until the gradient comes back."""
    logits_bytes: int
    """What head, loss and the way back add to that at the most."""
    step_bytes: int
    """The most that is alive at once during a step, …"""
    validation_bytes: int
    """… during validation, …"""
    checkpoint_bytes: int
    """… and while a checkpoint is written."""
    cache_bytes: int
    """Keys and values of one sequence while text is generated."""
    heap_bytes: int
    """What all this takes of the machine: on the CPU with the gaps between blocks, on a GPU without."""


def memory(
    model: ModelConfig, train: TrainConfig, vocab_size: int, device: torch.device, *, threads: int = 1
) -> Memory:
    """The memory of a run, by the same operations in the same order; experts are taken as equally used.

    What threads compute side by side is taken as computed at once; each has gradients of its own.

    Not seen: what kernels use inside themselves, and what `train.compile` saves.
    """
    one_in = model.moe.n_experts if model.feedforward == "moe" else 1
    if train.micro_batch_size is not None:
        # a third part of the batch needs what the second does
        fewer = min(train.batch_size, 2 * train.micro_batch_size)
        train = train.model_copy(update={"batch_size": fewer})
    with Shapes(device, one_in) as live:
        step = rehearsal(model, train, vocab_size, device)
        weights = list(step.model.parameters())
        alone = live.bytes
        average = Average(step.model, train.ema_decay) if train.ema_decay is not None else None
        averaged = list(average.tensors.values()) if average is not None else []
        _trained(step, live, 0)
        # held in every step after the first look at the validation split
        best = [weight.clone() for weight in weights] if device.type == "cpu" else []
        apart = shares(replace(step.run, threads=threads), step.micro_batch_size) - 1
        others = [torch.empty_like(weight) for _ in range(apart) for weight in weights]
        held = live.bytes
        reached, in_step = _trained(step, live, 1)
        del others
        with live.highest() as in_validation:
            validate(step, VALIDATION_BATCH_TOKENS)
        in_checkpoint = _written(step, live) if device.type == "cpu" else live.bytes
        before = live.bytes
        cache = Cache(model, 1, step.model.head.weight)
        after = live.bytes
        del cache
    gradients = _bytes(weights)
    # where a batch is computed in parts, the gradients of those before are there already
    waiting = gradients if step.micro_batch_size < train.batch_size else 0
    return Memory(
        weights_bytes=alone,
        gradients_bytes=gradients,
        optimizer_bytes={_name(optimizer): _bytes(_state(optimizer)) for optimizer in step.optimizers},
        average_bytes=_bytes(averaged),
        best_weights_bytes=_bytes(best),
        activations_bytes=reached - held,
        logits_bytes=max(0, in_step - reached - waiting),
        step_bytes=in_step,
        validation_bytes=in_validation[0],
        checkpoint_bytes=in_checkpoint,
        cache_bytes=after - before,
        heap_bytes=live.heap.highest_bytes if device.type == "cpu" else live.peak_bytes,
    )


def _trained(step: Step, live: Live, index: int) -> tuple[int, int]:
    """What is alive when the first part has passed the last block, and the most in the whole step."""
    passed: list[int] = []
    hook = step.model.norm.register_forward_hook(lambda *_: passed.append(live.bytes))
    with live.highest() as peak:
        step.train_batch(index)
        step.optim_step(index)
    hook.remove()
    return passed[0], peak[0]


def _written(step: Step, live: Live) -> int:
    """The most that is alive while a checkpoint is written: safetensors copies tensors, then the file."""
    states = [value for optimizer in step.optimizers for value in _state(optimizer)]
    with live.highest() as peak:
        for file in (list(step.model.parameters()), states):
            parts = [torch.empty(tensor.nbytes, dtype=torch.uint8) for tensor in file]
            whole = torch.empty(_bytes(parts), dtype=torch.uint8)
            del parts, whole
    return peak[0]


def _name(optimizer: Optimizer) -> str:
    return type(optimizer).__name__.lower()


def _state(optimizer: Optimizer) -> list[Tensor]:
    return [value for state in optimizer.state.values() for value in state.values()]


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)
