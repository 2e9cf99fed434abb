"""What varies from call to call, and what a call is asked to show of itself."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from reprolm.model.cache import Cache
from reprolm.model.position import NoPosition


@dataclass(frozen=True)
class Routing:
    """Where a layer's router sent its tokens."""

    load: Float[Tensor, " E"]
    """The share of the choices that fell on each expert; they sum to 1."""
    balance: Float[Tensor, ""]
    """E · Σ load · mean probability: 1 when all experts are used alike, E when one does everything."""


class Trace:
    """Collects what a forward pass would otherwise throw away; attention maps cost the fast path."""

    # no dataclass: FSDP looks into those for tensors with gradients, and would give blocks a copy
    def __init__(self, maps: bool = False) -> None:
        self.maps = maps
        self.attention: list[Float[Tensor, "B H T S"]] = []
        self.routing: list[Routing] = []

    @property
    def balance(self) -> Float[Tensor, ""]:
        """The balance loss, mean over the layers."""
        return torch.stack([layer.balance for layer in self.routing]).mean()

    @property
    def load(self) -> Float[Tensor, "L E"]:
        """The load of each expert, layer by layer."""
        return torch.stack([layer.load for layer in self.routing])

    @property
    def heaviest_load(self) -> Float[Tensor, ""]:
        """The load of the busiest expert in units of an equal share: from 1 to E, mean over layers."""
        return torch.stack([len(layer.load) * layer.load.max() for layer in self.routing]).mean()


@dataclass(frozen=True)
class Context:
    """The position scheme, where the first token stands, which keys a query may see, cache and trace if any.

    Without a mask each of T queries sees the keys up to its own.
    """

    position: NoPosition
    at: int = 0
    mask: Bool[Tensor, "*B T S"] | Float[Tensor, "*B T S"] | None = None
    cache: Cache | None = None
    trace: Trace | None = None


def causal(at: int, T: int, device: torch.device) -> Bool[Tensor, "T S"]:
    """Whether each of T queries from position `at` on sees each of S = `at` + T keys: those up to its own."""
    return torch.ones(T, at + T, dtype=torch.bool, device=device).tril(at)


def mask(
    position: NoPosition, at: int, documents: Int[Tensor, "B T"] | None, tokens: Int[Tensor, "B T"]
) -> Bool[Tensor, "*B T S"] | Float[Tensor, "*B T S"] | None:
    """The mask of a call, one for all layers; None where `is_causal` says all, which is the fastest path.

    True or a number: seen, the number is added to the score; False or −∞: not seen. With `documents`, a token
    sees its own document alone.
    """
    T, device = tokens.shape[1], tokens.device
    bias = position.bias(at, T)
    if bias is None and documents is None:
        return None if at == 0 or T == 1 else causal(at, T, device)
    seen = causal(at, T, device)
    if documents is not None:
        assert at == 0, "documents are known where whole windows are read"
        seen = seen & (documents[:, :, None] == documents[:, None, :])[:, None]  # B 1 T S
    return seen if bias is None else torch.where(seen, bias, -torch.inf)
