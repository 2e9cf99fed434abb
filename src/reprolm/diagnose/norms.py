"""Norms of gradients and weights by layer, of the last steps: what a stopped run is looked into by."""

import math
from collections import deque
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reprolm.distributed.layout import whole

KEPT_STEPS = 50


def layer(name: str) -> str:
    """The layer that a parameter belongs to, by its name.

    >>> layer("blocks.3.attention.query.weight"), layer("head.weight")
    ('blocks.3.attention', 'head')
    """
    words = name.split(".")
    return ".".join(words[:3]) if words[0] == "blocks" else words[0]


class Norms:
    """The last 50 steps; nothing is read from the device before it is asked for."""

    def __init__(self, model: nn.Module) -> None:
        named = dict(model.named_parameters())
        self._layers = [layer(name) for name in named]
        self._parameters: list[Tensor] = list(named.values())
        self._rows: deque[tuple[int, Tensor, Tensor]] = deque(maxlen=KEPT_STEPS)

    @torch.no_grad()
    def take(self, step: int, gradients: Float[Tensor, " n"]) -> None:
        """Keeps the norms of the gradients of a step, and measures those of the weights after it."""
        norms = whole(torch.stack(torch._foreach_norm(self._parameters)))
        self._rows.append((step, gradients, norms))

    def finite(self) -> bool:
        """Whether the weights were, after the last step; one number that is not shows in its norm."""
        return not self._rows or bool(torch.isfinite(self._rows[-1][2]).all())

    def _by_layer(self, norms: Tensor) -> dict[str, float]:
        """g_k = √ Σ g², over the tensors of a layer."""
        squares: dict[str, float] = dict.fromkeys(self._layers, 0.0)
        for name, norm in zip(self._layers, norms.tolist(), strict=True):
            squares[name] += norm * norm
        return {name: math.sqrt(square) for name, square in squares.items()}

    def csv(self) -> str:
        """`step,layer,gradient_norm,weight_norm`, of gradients before clipping and weights after the step."""
        lines = ["step,layer,gradient_norm,weight_norm\n"]
        for step, gradients, weights in self._rows:
            of_weights: Sequence[float] = list(self._by_layer(weights).values())
            for (name, gradient), weight in zip(self._by_layer(gradients).items(), of_weights, strict=True):
                lines.append(f"{step},{name},{gradient!r},{weight!r}\n")
        return "".join(lines)
