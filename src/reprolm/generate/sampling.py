"""Choosing the next token from its logits."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from reprolm.generate.config import SampleConfig


def probabilities(logits: Float[Tensor, "B V"], config: SampleConfig) -> Float[Tensor, "B V"]:
    """softmax(logits / temperature), cut to the `top_k` likeliest, then to the nucleus of mass `top_p`.

    The nucleus is the smallest set of likeliest tokens that has probability `top_p` (Holtzman et al. 2020,
    arXiv:1904.09751). Temperature 0 is the argmax.
    """
    logits = logits.double()
    if config.temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).double()
    p = (logits / config.temperature).softmax(-1)
    index = p.argsort(dim=-1, descending=True, stable=True)
    ordered = p.gather(-1, index)
    if config.top_k is not None:
        ordered[..., config.top_k :] = 0.0
    if config.top_p is not None:
        ordered /= ordered.sum(-1, keepdim=True)
        before = ordered.cumsum(-1) - ordered
        ordered[before >= config.top_p] = 0.0
    kept = torch.zeros_like(p).scatter(-1, index, ordered)
    return kept / kept.sum(-1, keepdim=True)


def draw(p: Float[Tensor, "B V"], uniform: Float[Tensor, " B"]) -> Int[Tensor, " B"]:
    """The token where the cumulative probability passes a uniform number in [0, 1).

    Two models that are given the same numbers make the same choices where their probabilities agree.
    """
    cumulative = p.cumsum(-1)
    chosen = (cumulative <= uniform[:, None] * cumulative[:, -1:]).sum(-1)
    last: Tensor = (p > 0).int().flip(-1).argmax(-1)
    return torch.minimum(chosen, p.shape[-1] - 1 - last)
