"""Section `model`: the architecture, one word a family with its options beside it."""

from typing import Literal

from pydantic import Field

from reprolm.config import Config, divisors, nearest, rule
from reprolm.errors import Problem


class RMSNormConfig(Config):
    """Options of `model.norm: rmsnorm`."""

    epsilon: float = Field(gt=0)


class LayerNormConfig(Config):
    """Options of `model.norm: layernorm`."""

    epsilon: float = Field(gt=0)
    bias: bool


class RopeConfig(Config):
    """Options of `model.position: rope`."""

    theta: float = Field(gt=1)


class LearnedConfig(Config):
    """Options of `model.position: learned`."""

    n_positions: int | None = Field(ge=1)
    """Rows of the table; null: as many as the context has."""


class MoEConfig(Config):
    """Options of `model.feedforward: moe`; each expert has the width `d_ff`."""

    expert: Literal["relu", "relu2", "gelu", "silu", "swiglu", "geglu"]
    n_experts: int = Field(ge=1)
    top_k: int = Field(ge=1)
    normalised: bool
    """Whether the weights of the chosen experts sum to 1 (Mixtral), or are their probabilities (Switch)."""
    balance_coefficient: float = Field(ge=0)
    """What the balance loss is multiplied by before it is added to the loss that is trained on."""

    @rule
    def chooses_among_experts(self) -> Problem | None:
        """A token cannot go to more experts than there are."""
        if self.top_k <= self.n_experts:
            return None
        return Problem("top_k", f"is above model.moe.n_experts = {self.n_experts}", self.top_k,
                       f"at most {self.n_experts}")  # fmt: skip

    @rule
    def one_normalised_expert_teaches_no_router(self) -> Problem | None:
        """The weight of one chosen expert would always be 1, whatever the router says."""
        if not self.normalised or self.top_k > 1 or self.n_experts == 1:
            return None
        return Problem("normalised", "gives the router no gradient when model.moe.top_k = 1", "true",
                       "false, or top_k 2")  # fmt: skip


class BiasConfig(Config):
    """Which linear maps add a bias."""

    query_key_value: bool
    attention_output: bool
    feedforward: bool
    head: bool


class NormalConfig(Config):
    """Options of `model.initialisation: normal`."""

    standard_deviation: float = Field(gt=0)
    embedding_standard_deviation: float = Field(gt=0)
    residual: Literal["scaled", "zero", "same"]
    """Projections into the residual stream: divided by √(2·n_layers), zero (a block starts as a no-op), or
    like the others."""


class ModelConfig(Config):
    """A decoder-only Transformer.

    Attention heads share keys and values in groups, here `n_heads: 4`::

        n_kv_heads: 4 (multi-head)    n_kv_heads: 2 (grouped)    n_kv_heads: 1 (multi-query)
        Q  Q  Q  Q                    Q  Q  Q  Q                 Q  Q  Q  Q
        KV KV KV KV                   KV────  KV────             KV──────────

    A part f of a block (attention, feed-forward) is placed with its norm::

        pre: x + f(norm(x))    post: norm(x + f(x))    sandwich: x + norm(f(norm(x)))
    """

    context_length: int = Field(ge=1)
    n_layers: int = Field(ge=0)
    d_model: int = Field(ge=1)
    n_heads: int = Field(ge=1)
    n_kv_heads: int = Field(ge=1)
    d_ff: int = Field(ge=1)
    norm: Literal["rmsnorm", "layernorm", "none"]
    norm_placement: Literal["pre", "post", "sandwich"]
    final_norm: bool
    rmsnorm: RMSNormConfig
    layernorm: LayerNormConfig
    qk_norm: bool
    position: Literal["rope", "alibi", "sinusoidal", "learned", "none"]
    rope: RopeConfig
    learned: LearnedConfig
    attention_scale: Literal["sqrt_d_head", "sqrt_d_model", "d_head", "one"]
    """What scores are divided by."""
    feedforward: Literal["relu", "relu2", "gelu", "silu", "swiglu", "geglu", "moe"]
    moe: MoEConfig
    bias: BiasConfig
    dropout: float = Field(ge=0, lt=1)
    tie_embeddings: bool
    logit_soft_cap: float | None = Field(gt=0)
    initialisation: Literal["normal", "torch", "xavier"]
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

    @rule
    def learned_positions_cover_the_context(self) -> Problem | None:
        """A position beyond the table has no vector."""
        rows = self.learned.n_positions
        if self.position != "learned" or rows is None or self.context_length <= rows:
            return None
        return Problem("context_length", f"is beyond model.learned.n_positions = {rows}", self.context_length,
                       f"at most {rows}, or n_positions null")  # fmt: skip
