"""Which optimizer moves which tensor."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from reprolm.distributed.layout import divided, laid_as, whole
from reprolm.optim import adamw
from reprolm.optim.config import OptimConfig
from reprolm.optim.lion import Lion
from reprolm.optim.muon import Muon

Groups = Sequence[dict[str, Any]]


def _adam(config: OptimConfig) -> dict[str, Any]:
    adam = config.adam
    return {"betas": (adam.beta1, adam.beta2), "eps": adam.epsilon, "amsgrad": adam.amsgrad}


def _adamw(split: Groups, config: OptimConfig) -> Optimizer:
    """AdamW of torch (Loshchilov & Hutter 2019, arXiv:1711.05101): one pass over the memory."""
    return torch.optim.AdamW(split, lr=config.learning_rate, fused=True, **_adam(config))


def _adamw_scratch(split: Groups, config: OptimConfig) -> Optimizer:
    return adamw.AdamW(split, lr=config.learning_rate, **_adam(config))


def _adam_with_l2(split: Groups, config: OptimConfig) -> Optimizer:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980): decay is a part of the gradient, which the moments see."""
    return torch.optim.Adam(split, lr=config.learning_rate, fused=True, **_adam(config))


def _sgd(split: Groups, config: OptimConfig) -> Optimizer:
    """Gradient descent with momentum (Sutskever et al. 2013); decay is a part of the gradient."""
    options = config.sgd.model_dump()
    # in one pass over the memory, which torch has not for tensors that processes divide
    fused = not any(divided(tensor) for group in split for tensor in group["params"])
    return torch.optim.SGD(split, lr=config.learning_rate, fused=fused, **options)


def _lion(split: Groups, config: OptimConfig) -> Optimizer:
    betas = (config.lion.beta1, config.lion.beta2)
    return Lion(split, lr=config.learning_rate, betas=betas)


KINDS: dict[str, Callable[[Groups, OptimConfig], Optimizer]] = {
    "adamw": _adamw,
    "adamw_scratch": _adamw_scratch,
    "adam": _adam_with_l2,
    "sgd": _sgd,
    "lion": _lion,
    "muon": _adamw,
}
"""What moves the tensors, under `muon` those that it leaves."""


def _split(tensors: Sequence[Tensor], weight_decay: float) -> Groups:
    """Two groups: matrices decay, gains and biases do not."""
    split: list[dict[str, Any]] = [
        {"params": [t for t in tensors if t.ndim > 1], "weight_decay": weight_decay},
        {"params": [t for t in tensors if t.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in split if group["params"]]


def groups(made: Iterable[Optimizer]) -> Iterator[dict[str, Any]]:
    """The parameter groups of all optimizers."""
    return (group for optimizer in made for group in optimizer.param_groups)


def optimizers(model: nn.Module, config: OptimConfig) -> list[Optimizer]:
    """The optimizers of a model: one for all, or, with `muon`, a second for the matrices inside blocks.

    Each group remembers its peak rate, which a schedule multiplies.
    """
    muon, named = config.muon, dict(model.named_parameters())
    matrices = {name for name, t in named.items() if t.ndim == 2 and name.startswith("blocks.")}
    taken = matrices if config.optimizer == "muon" else set()
    rest, hidden = ([t for name, t in named.items() if (name in taken) is own] for own in (False, True))
    made = [KINDS[config.optimizer](_split(rest, config.weight_decay), config)]
    if hidden:
        options = (muon.learning_rate, muon.momentum, config.weight_decay, muon.newton_schulz_steps)
        made.append(Muon(hidden, *options))
    for group in groups(made):
        group["peak_lr"] = group["lr"]
    return made


def set_share(made: list[Optimizer], share: float) -> None:
    """Sets every learning rate to a share of its peak."""
    for group in groups(made):
        group["lr"] = group["peak_lr"] * share


def state_tensors(made: list[Optimizer], model: nn.Module) -> dict[str, Tensor]:
    """The optimizers' tensors, `<parameter name>/<state name>`: by name, so that order cannot mix them up.

    Where processes hold parts of them, all must ask.
    """
    found = {
        f"{name}/{key}": value
        for name, tensor in model.named_parameters()
        for optimizer in made
        for key, value in optimizer.state.get(tensor, {}).items()
    }
    # sorted: what a checkpoint gave back came in another order in each process
    return {name: whole(found[name]) for name in sorted(found)}


def put_state_tensors(made: list[Optimizer], model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Restores what `state_tensors` gave."""
    named = dict(model.named_parameters())
    owner = {t: optimizer for optimizer in made for group in optimizer.param_groups for t in group["params"]}
    for key, value in tensors.items():
        name, _, state = key.rpartition("/")
        weight = named[name]
        own = laid_as(value, weight) if value.shape == weight.shape else value
        owner[weight].state[weight][state] = own.to(weight.device)
