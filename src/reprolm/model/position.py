"""What tells the model where a token stands.

A scheme acts at one of three places: on the embeddings, on queries and keys, or on the scores.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reprolm.model.config import ModelConfig


class NoPosition(nn.Module):
    """Nothing: the causal mask alone breaks the symmetry (Kazemnejad et al. 2023, arXiv:2305.19466).

    The other schemes are this one but for the place where they act.
    """

    def __init__(self, config: ModelConfig) -> None:  # noqa: ARG002
        super().__init__()

    def placed(self, x: Float[Tensor, "B T D"], at: int) -> Float[Tensor, "B T D"]:  # noqa: ARG002
        """Embeddings whose first token stands at position `at`."""
        return x

    def turned(self, x: Float[Tensor, "B N T K"], at: int) -> Float[Tensor, "B N T K"]:  # noqa: ARG002
        """Queries or keys whose first token stands at position `at`."""
        return x

    def bias(self, at: int, T: int) -> Float[Tensor, "H T S"] | None:  # noqa: ARG002
        """What is added to the scores of T queries from position `at` on, for all S = `at` + T keys."""
        return None


class Rope(NoPosition):
    """Rotary positions (Su et al. 2021, arXiv:2104.09864): q and k turn by angles that grow with position.

    Channel i of the first half of a head is paired with channel i of the second half (the layout of Llama and
    GPT-NeoX); the pair at position t is turned by t · θ^(−2i/K). Scores then depend on distances alone.
    """

    cosine: Tensor
    sine: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        half = config.d_head // 2
        # float64, so that far positions keep their phase
        frequencies = config.rope.theta ** (-torch.arange(half, dtype=torch.float64) / half)
        angles = torch.outer(torch.arange(config.context_length, dtype=torch.float64), frequencies)
        cosine, sine = angles.cos().float(), angles.sin().float()
        self.register_buffer("cosine", torch.cat([cosine, cosine], dim=-1), persistent=False)
        self.register_buffer("sine", torch.cat([-sine, sine], dim=-1), persistent=False)

    def turned(self, x: Float[Tensor, "B N T K"], at: int) -> Float[Tensor, "B N T K"]:
        """Turns heads whose first token stands at position `at`."""
        T, K = x.shape[-2:]
        swapped = torch.cat([x[..., K // 2 :], x[..., : K // 2]], dim=-1)
        return torch.addcmul(x * self.cosine[at : at + T], swapped, self.sine[at : at + T])


class Alibi(NoPosition):
    """Scores fall linearly with distance: −m_h · (t − s) (Press et al. 2022, arXiv:2108.12409).

    The slope of head h = 1 … H is m_h = 2^(−8h/H). Where H is no power of two the paper's code takes
    slopes of the neighbouring powers of two; ours is the formula.
    """

    slopes: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        heads = torch.arange(1, config.n_heads + 1, dtype=torch.float64)
        self.register_buffer("slopes", torch.exp2(-8 * heads / config.n_heads).float(), persistent=False)

    def bias(self, at: int, T: int) -> Float[Tensor, "H T S"]:
        """The further back a key, the lower its score."""
        key = torch.arange(at + T, device=self.slopes.device)
        distance = key[at:, None] - key  # T S, below zero for keys to come, which the mask hides
        return -self.slopes[:, None, None] * distance


class Sinusoidal(NoPosition):
    """Embeddings plus sines and cosines of position (Vaswani et al. 2017, arXiv:1706.03762).

    Channels 2i and 2i + 1 at position t: sin and cos of t · 10000^(−2i/D).
    """

    table: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        even = torch.arange(0, config.d_model, 2, dtype=torch.float64)
        frequencies = 10000.0 ** (-even / config.d_model)
        angles = torch.outer(torch.arange(config.context_length, dtype=torch.float64), frequencies)
        table = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, : config.d_model]
        self.register_buffer("table", table.float(), persistent=False)

    def placed(self, x: Float[Tensor, "B T D"], at: int) -> Float[Tensor, "B T D"]:
        """Adds the waves of positions `at` …"""
        return x + self.table[at : at + x.shape[1]]


class Learned(NoPosition):
    """Embeddings plus a trained vector for each position (Radford et al. 2018, GPT)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.table = nn.Embedding(config.learned.n_positions or config.context_length, config.d_model)

    def placed(self, x: Float[Tensor, "B T D"], at: int) -> Float[Tensor, "B T D"]:
        """Adds the vectors of positions `at` …"""
        return x + self.table.weight[at : at + x.shape[1]]


POSITIONS: dict[str, type[NoPosition]] = {
    "rope": Rope,
    "alibi": Alibi,
    "sinusoidal": Sinusoidal,
    "learned": Learned,
    "none": NoPosition,
}


def position(config: ModelConfig) -> NoPosition:
    """The position scheme that `model.position` names."""
    return POSITIONS[config.position](config)
