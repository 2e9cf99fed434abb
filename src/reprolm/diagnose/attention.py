"""How widely attention looks: the entropy of its maps, from one token (0) to all that it may see (1)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from reprolm.model.context import Trace
from reprolm.model.mode import evaluating


def normalised_entropy(maps: Float[Tensor, "B H T S"]) -> Float[Tensor, " H"]:
    """Mean over windows and tokens t ≥ 1, counted from 0, of −Σ_s≤t A ln A / ln(t + 1), for each head.

    `maps` are those of whole windows: causal, each row sums to 1. The first token sees itself alone.
    """
    entropy = torch.special.entr(maps.float()).sum(-1)[..., 1:]  # B H T-1
    most = torch.arange(2, maps.shape[-1] + 1, device=maps.device).log()
    mean: Tensor = (entropy / most).mean((0, 2))
    return mean


@torch.no_grad()
def entropies(model: nn.Module, windows: Int[Tensor, "B T"]) -> list[list[float]]:
    """The `normalised_entropy` of each head on some text, by layer; none where windows are single tokens."""
    if windows.shape[1] < 2:
        return []
    trace = Trace(maps=True)
    with evaluating(model):
        model(windows.to(next(model.parameters()).device), trace=trace)
    return [normalised_entropy(maps).tolist() for maps in trace.attention]
