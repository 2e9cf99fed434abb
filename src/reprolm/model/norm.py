"""Normalisation of a vector of channels."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import layer_norm, rms_norm

from reprolm.model.config import LayerNormConfig, ModelConfig, RMSNormConfig


class RMSNorm(nn.Module):
    """y = g · x / √(mean(x²) + ε), per token (Zhang & Sennrich 2019, arXiv:1910.07467). No mean, no bias."""

    def __init__(self, width: int, options: RMSNormConfig) -> None:
        super().__init__()
        self.epsilon = options.epsilon
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x: Float[Tensor, "*axes D"]) -> Float[Tensor, "*axes D"]:
        """Normalises the last axis."""
        # in half precision a norm of queries is given halves, and its gain is not: torch would not fuse them
        return rms_norm(x.to(self.gain.dtype), self.gain.shape, self.gain, self.epsilon)


class LayerNorm(nn.Module):
    """y = g · (x − mean(x)) / √(variance(x) + ε) + b, per token (Ba et al. 2016, arXiv:1607.06450)."""

    def __init__(self, width: int, options: LayerNormConfig) -> None:
        super().__init__()
        self.epsilon = options.epsilon
        self.gain = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if options.bias else None

    def forward(self, x: Float[Tensor, "*axes D"]) -> Float[Tensor, "*axes D"]:
        """Normalises the last axis."""
        return layer_norm(x, self.gain.shape, self.gain, self.bias, self.epsilon)


class NoNorm(nn.Module):
    """y = x: what normalisation does is seen where it is missing."""

    def __init__(self, width: int, options: None) -> None:  # noqa: ARG002
        super().__init__()

    def forward(self, x: Float[Tensor, "*axes D"]) -> Float[Tensor, "*axes D"]:
        """Leaves the channels as they are."""
        return x


NORMS: dict[str, type[nn.Module]] = {"rmsnorm": RMSNorm, "layernorm": LayerNorm, "none": NoNorm}


def norm(width: int, config: ModelConfig) -> nn.Module:
    """The norm that `model.norm` names, with the options of its name."""
    return NORMS[config.norm](width, getattr(config, config.norm, None))
