"""Which optimizer moves which tensor."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from reprolm.optim.config import AdamConfig, MuonConfig
from reprolm.optim.muon import Muon


def _adamw(tensors: Sequence[Tensor], lr: float, weight_decay: float, config: AdamConfig) -> AdamW:
    """AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101), decay on matrices alone."""
    split: list[dict[str, Any]] = [
        {"params": [t for t in tensors if t.ndim > 1], "weight_decay": weight_decay},
        {"params": [t for t in tensors if t.ndim < 2], "weight_decay": 0.0},
    ]
    filled = [group for group in split if group["params"]]
    return AdamW(filled, lr=lr, betas=(config.beta1, config.beta2), eps=config.epsilon, fused=True)


def groups(made: Iterable[Optimizer]) -> Iterator[dict[str, Any]]:
    """The parameter groups of all optimizers."""
    return (group for optimizer in made for group in optimizer.param_groups)


def optimizers(
    model: nn.Module, kind: str, rates: tuple[float, float], adam: AdamConfig, muon: MuonConfig
) -> list[Optimizer]:
    """The optimizers of a model; `rates` are the peak learning rate and the weight decay.

    `adamw` moves everything; `muon` the matrices inside blocks, AdamW the embedding, the head and the gains.
    Each group remembers its peak rate, which a schedule multiplies.
    """
    learning_rate, weight_decay = rates
    named = dict(model.named_parameters())
    hidden = [t for name, t in named.items() if kind == "muon" and t.ndim == 2 and name.startswith("blocks.")]
    rest = [t for t in named.values() if not any(t is h for h in hidden)]
    made: list[Optimizer] = [_adamw(rest, learning_rate, weight_decay, adam)]
    if hidden:
        made.append(Muon(hidden, muon.learning_rate, muon.momentum, weight_decay, muon.newton_schulz_steps))
    for group in groups(made):
        group["peak_lr"] = group["lr"]
    return made


def set_share(made: list[Optimizer], share: float) -> None:
    """Sets every learning rate to a share of its peak."""
    for group in groups(made):
        group["lr"] = group["peak_lr"] * share


def state_tensors(made: list[Optimizer], model: nn.Module) -> dict[str, Tensor]:
    """The optimizers' tensors, `<parameter name>/<state name>`: by name, so that order cannot mix them up."""
    names: dict[Tensor, str] = {tensor: name for name, tensor in model.named_parameters()}
    return {
        f"{names[tensor]}/{key}": value
        for optimizer in made
        for tensor, state in optimizer.state.items()
        for key, value in state.items()
    }


def put_state_tensors(made: list[Optimizer], model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Restores what `state_tensors` gave."""
    named = dict(model.named_parameters())
    owner = {t: optimizer for optimizer in made for group in optimizer.param_groups for t in group["params"]}
    for key, value in tensors.items():
        name, _, state = key.rpartition("/")
        weight = named[name]
        owner[weight].state[weight][state] = value.to(weight.device)
