"""The part of a block that works on each token alone."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu, silu

from reprolm.model.config import ModelConfig


class SwiGLU(nn.Module):
    """down(silu(gate(x)) · up(x)) (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.up = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Through F = `d_ff` gated channels and back."""
        y: Tensor = self.down(silu(self.gate(x)) * self.up(x))
        return y


class ReLU2(nn.Module):
    """down(relu(up(x))²) (So et al. 2021, arXiv:2109.08668)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.up = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Through F = `d_ff` channels and back."""
        y: Tensor = self.down(relu(self.up(x)).square())
        return y


FEEDFORWARDS: dict[str, type[SwiGLU] | type[ReLU2]] = {"swiglu": SwiGLU, "relu2": ReLU2}


def feedforward(config: ModelConfig) -> nn.Module:
    """The feed-forward that `model.feedforward` names."""
    return FEEDFORWARDS[config.feedforward](config)
