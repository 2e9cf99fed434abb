"""Normalisation of a vector of channels."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reprolm.model.config import ModelConfig


class RMSNorm(nn.Module):
    """y = g · x / √(mean(x²) + ε), per token (Zhang & Sennrich 2019, arXiv:1910.07467). No mean, no bias."""

    def __init__(self, width: int, config: ModelConfig) -> None:
        super().__init__()
        self.epsilon = config.rmsnorm.epsilon
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x: Float[Tensor, "*axes D"]) -> Float[Tensor, "*axes D"]:
        """Normalises the last axis."""
        return nn.functional.rms_norm(x, self.gain.shape, self.gain, self.epsilon)


NORMS: dict[str, type[RMSNorm]] = {"rmsnorm": RMSNorm}


def norm(width: int, config: ModelConfig) -> nn.Module:
    """The norm that `model.norm` names."""
    return NORMS[config.norm](width, config)
