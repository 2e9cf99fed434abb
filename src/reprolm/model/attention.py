"""Causal self-attention with grouped key-value heads."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import dropout, scaled_dot_product_attention

from reprolm.model.config import ModelConfig, RMSNormConfig
from reprolm.model.context import Context, causal
from reprolm.model.norm import RMSNorm


def scale(config: ModelConfig) -> float:
    """What scores are multiplied by: 1 over what `model.attention_scale` names."""
    divisors = {
        "sqrt_d_head": math.sqrt(config.d_head),  # Vaswani et al. 2017: scores of unit variance
        "sqrt_d_model": math.sqrt(config.d_model),  # a common slip, kept for those who made it
        "d_head": float(config.d_head),  # Yang et al. 2022, arXiv:2203.03466: as correlations grow with K
        "one": 1.0,
    }
    return 1 / divisors[config.attention_scale]


class Attention(nn.Module):
    """softmax(scale · q·kᵀ, causal) · v for each head (Vaswani et al. 2017, arXiv:1706.03762).

    Query heads share keys and values in groups of H / G (Ainslie et al. 2023, arXiv:2305.13245).
    `qk_norm` is an RMSNorm of queries and keys per head, whatever `model.norm` is: it bounds the scores
    (Dehghani et al. 2023, arXiv:2302.05442).
    """

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.heads, self.kv_heads = layer, config.n_heads, config.n_kv_heads
        D, K, bias = config.d_model, config.d_head, config.bias
        self.query = nn.Linear(D, self.heads * K, bias=bias.query_key_value)
        self.key = nn.Linear(D, self.kv_heads * K, bias=bias.query_key_value)
        self.value = nn.Linear(D, self.kv_heads * K, bias=bias.query_key_value)
        self.output = nn.Linear(self.heads * K, D, bias=bias.attention_output)
        unit = RMSNormConfig(epsilon=1e-6)
        self.query_norm = RMSNorm(K, unit) if config.qk_norm else nn.Identity()
        self.key_norm = RMSNorm(K, unit) if config.qk_norm else nn.Identity()
        self.scale, self.dropout = scale(config), config.dropout

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        """Mixes each token with those before it."""
        B, T, _ = x.shape
        q = self.query(x).view(B, T, self.heads, -1).transpose(1, 2)  # B H T K
        k = self.key(x).view(B, T, self.kv_heads, -1).transpose(1, 2)  # B G T K
        v = self.value(x).view(B, T, self.kv_heads, -1).transpose(1, 2)  # B G T K
        q = context.position.turned(self.query_norm(q), context.at)
        k = context.position.turned(self.key_norm(k), context.at)
        if context.cache is not None:
            k, v = context.cache.extended(self.layer, k, v)  # B G S K
        explicit = context.trace is not None and context.trace.maps
        mixed = self._explicit(q, k, v, context) if explicit else self._fast(q, k, v, context)
        output: Tensor = self.output(mixed.transpose(1, 2).reshape(B, T, -1))
        return output

    def _fast(
        self,
        q: Float[Tensor, "B H T K"],
        k: Float[Tensor, "B G S K"],
        v: Float[Tensor, "B G S K"],
        context: Context,
    ) -> Float[Tensor, "B H T K"]:
        """Never holds the scores (flash attention where there is one)."""
        return scaled_dot_product_attention(
            q, k, v,
            attn_mask=context.mask,
            is_causal=context.mask is None and q.shape[-2] > 1,
            dropout_p=self.dropout if self.training else 0.0,
            scale=self.scale,
            enable_gqa=self.kv_heads != self.heads,
        )  # fmt: skip

    def _explicit(
        self,
        q: Float[Tensor, "B H T K"],
        k: Float[Tensor, "B G S K"],
        v: Float[Tensor, "B G S K"],
        context: Context,
    ) -> Float[Tensor, "B H T K"]:
        """The formula as it is written; leaves its maps in the trace."""
        assert context.trace is not None
        k, v = (part.repeat_interleave(self.heads // self.kv_heads, dim=1) for part in (k, v))  # B H S K
        scores = self.scale * q @ k.mT  # B H T S
        mask = causal(context.at, q.shape[-2], q.device) if context.mask is None else context.mask
        hidden = mask.dtype == torch.bool
        scores = scores.masked_fill(~mask, -torch.inf) if hidden else scores + mask
        maps = scores.float().softmax(-1).to(q.dtype)
        context.trace.attention.append(maps)
        return dropout(maps, self.dropout, self.training) @ v
