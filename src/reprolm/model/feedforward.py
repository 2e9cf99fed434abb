"""The part of a block that works on each token alone."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from reprolm.model.config import ModelConfig
from reprolm.model.context import Context
from reprolm.model.moe import MixtureOfExperts

Activation = Callable[[Tensor], Tensor]


def relu2(x: Tensor) -> Tensor:
    """relu(x)² (So et al. 2021, arXiv:2109.08668)."""
    return functional.relu(x).square()


class Plain(nn.Module):
    """down(activation(up(x))) (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, config: ModelConfig, activation: Activation) -> None:
        super().__init__()
        self.activation = activation
        self.up = nn.Linear(config.d_model, config.d_ff, bias=config.bias.feedforward)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=config.bias.feedforward)

    def forward(self, x: Float[Tensor, "*axes D"], _: Context) -> Float[Tensor, "*axes D"]:
        """Through F = `d_ff` channels and back."""
        y: Tensor = self.down(self.activation(self.up(x)))
        return y


class Gated(nn.Module):
    """down(activation(gate(x)) · up(x)) (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, config: ModelConfig, activation: Activation) -> None:
        super().__init__()
        self.activation = activation
        self.gate = nn.Linear(config.d_model, config.d_ff, bias=config.bias.feedforward)
        self.up = nn.Linear(config.d_model, config.d_ff, bias=config.bias.feedforward)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=config.bias.feedforward)

    def forward(self, x: Float[Tensor, "*axes D"], _: Context) -> Float[Tensor, "*axes D"]:
        """Through F = `d_ff` gated channels and back."""
        y: Tensor = self.down(self.activation(self.gate(x)) * self.up(x))
        return y


class ReLU(Plain):
    """max(x, 0)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, functional.relu)


class ReLU2(Plain):
    """max(x, 0)² (So et al. 2021, arXiv:2109.08668)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, relu2)


class GELU(Plain):
    """x · Φ(x), exact and not by tanh (Hendrycks & Gimpel 2016, arXiv:1606.08415)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, functional.gelu)


class SiLU(Plain):
    """x · σ(x) (Elfwing et al. 2017, arXiv:1702.03118)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, functional.silu)


class SwiGLU(Gated):
    """Gated by x · σ(x)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, functional.silu)


class GEGLU(Gated):
    """Gated by x · Φ(x)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, functional.gelu)


FEEDFORWARDS: dict[str, Callable[[ModelConfig], Plain | Gated]] = {
    "relu": ReLU,
    "relu2": ReLU2,
    "gelu": GELU,
    "silu": SiLU,
    "swiglu": SwiGLU,
    "geglu": GEGLU,
}


def feedforward(config: ModelConfig) -> nn.Module:
    """The feed-forward that `model.feedforward` names."""
    if config.feedforward == "moe":
        return MixtureOfExperts(config, FEEDFORWARDS[config.moe.expert])
    return FEEDFORWARDS[config.feedforward](config)
