"""Section `model`: the architecture, one word a family with its options beside it."""

from typing import Literal

from pydantic import Field

from reprolm.config import Config, rule
from reprolm.errors import Problem


class RMSNormConfig(Config):
    """Options of `model.norm: rmsnorm`."""

    epsilon: float = Field(gt=0)


class RopeConfig(Config):
    """Options of `model.position: rope`."""

    theta: float = Field(gt=1)


class NormalConfig(Config):
    """Options of `model.initialisation: normal`."""

    standard_deviation: float = Field(gt=0)
    embedding_standard_deviation: float = Field(gt=0)
    residual: Literal["scaled", "zero"]
    """Projections into the residual stream: divided by √(2·n_layers), or zero (a block starts as a no-op)."""


class ModelConfig(Config):
    """A decoder-only Transformer.

    Attention heads share keys and values in groups, here `n_heads: 4`::

        n_kv_heads: 4 (multi-head)    n_kv_heads: 2 (grouped)    n_kv_heads: 1 (multi-query)
        Q  Q  Q  Q                    Q  Q  Q  Q                 Q  Q  Q  Q
        KV KV KV KV                   KV────  KV────             KV──────────
    """

    context_length: int = Field(ge=1)
    n_layers: int = Field(ge=0)
    d_model: int = Field(ge=1)
    n_heads: int = Field(ge=1)
    n_kv_heads: int = Field(ge=1)
    d_ff: int = Field(ge=1)
    norm: Literal["rmsnorm"]
    norm_placement: Literal["pre"]
    rmsnorm: RMSNormConfig
    qk_norm: bool
    position: Literal["rope", "none"]
    rope: RopeConfig
    feedforward: Literal["swiglu", "relu2"]
    dropout: float = Field(ge=0, lt=1)
    tie_embeddings: bool
    initialisation: Literal["normal"]
    normal: NormalConfig

    @property
    def d_head(self) -> int:
        """Width of a head."""
        return self.d_model // self.n_heads

    @rule
    def heads_divide_width(self) -> Problem | None:
        """Each head takes an equal part of the width."""
        if self.d_model % self.n_heads == 0:
            return None
        return Problem("n_heads", f"does not divide model.d_model = {self.d_model}", self.n_heads,
                       nearest(self.n_heads, divisors(self.d_model)))  # fmt: skip

    @rule
    def kv_heads_divide_heads(self) -> Problem | None:
        """Each key-value head serves an equal number of query heads."""
        if self.n_heads % self.n_kv_heads == 0:
            return None
        return Problem("n_kv_heads", f"does not divide model.n_heads = {self.n_heads}", self.n_kv_heads,
                       nearest(self.n_kv_heads, divisors(self.n_heads)))  # fmt: skip

    @rule
    def rope_rotates_pairs(self) -> Problem | None:
        """RoPE turns pairs of channels, so that a head has an even width."""
        if self.position != "rope" or self.d_model % self.n_heads or (self.d_model // self.n_heads) % 2 == 0:
            return None
        fitting = [heads for heads in divisors(self.d_model) if self.d_model // heads % 2 == 0]
        width = self.d_model // self.n_heads
        found = f"{width} = model.d_model / model.n_heads = {self.d_model} / {self.n_heads}"
        want = f"n_heads {nearest(self.n_heads, fitting)}" if fitting else "an even model.d_model"
        return Problem("position", "rope needs an even width of a head", found, want)


def divisors(number: int) -> list[int]:
    """The divisors of a positive number, ascending.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    return [part for part in range(1, number + 1) if number % part == 0]


def nearest(found: int, valid: list[int]) -> str:
    """The valid values on either side of what was found, in words.

    >>> nearest(5, [1, 2, 3, 4, 6, 12])
    '4 or 6'
    """
    below = [value for value in valid if value < found][-1:]
    above = [value for value in valid if value > found][:1]
    return " or ".join(map(str, below + above))
