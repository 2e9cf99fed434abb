"""What tells the model where a token stands."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reprolm.model.config import ModelConfig


class Rope(nn.Module):
    """Rotary positions (Su et al. 2021, arXiv:2104.09864): q and k turn by angles that grow with position.

    Channel i of the first half of a head is paired with channel i of the second half (the layout of Llama and
    GPT-NeoX); the pair at position t is turned by t · θ^(−2i/K). Scores then depend on distances alone.
    """

    cosine: Tensor
    sine: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        half = config.d_head // 2
        # float64, so that far positions keep their phase
        frequencies = config.rope.theta ** (-torch.arange(half, dtype=torch.float64) / half)
        angles = torch.outer(torch.arange(config.context_length, dtype=torch.float64), frequencies)
        cosine, sine = angles.cos().float(), angles.sin().float()
        self.register_buffer("cosine", torch.cat([cosine, cosine], dim=-1), persistent=False)
        self.register_buffer("sine", torch.cat([-sine, sine], dim=-1), persistent=False)

    def turn(self, x: Float[Tensor, "B N T K"], at: int) -> Float[Tensor, "B N T K"]:
        """Turns heads whose first token stands at position `at`."""
        T, K = x.shape[-2:]
        swapped = torch.cat([x[..., K // 2 :], x[..., : K // 2]], dim=-1)
        return torch.addcmul(x * self.cosine[at : at + T], swapped, self.sine[at : at + T])


class NoPosition(nn.Module):
    """Nothing: the causal mask alone breaks the symmetry (Kazemnejad et al. 2023, arXiv:2305.19466)."""

    def __init__(self, config: ModelConfig) -> None:  # noqa: ARG002
        super().__init__()

    def turn(self, x: Float[Tensor, "B N T K"], at: int) -> Float[Tensor, "B N T K"]:  # noqa: ARG002
        """Leaves the heads as they are."""
        return x


POSITIONS: dict[str, type[Rope] | type[NoPosition]] = {"rope": Rope, "none": NoPosition}


def position(config: ModelConfig) -> Rope | NoPosition:
    """The position scheme that `model.position` names."""
    return POSITIONS[config.position](config)
