"""Causal self-attention with grouped key-value heads."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from reprolm.model.cache import Cache
from reprolm.model.config import ModelConfig
from reprolm.model.norm import norm
from reprolm.model.position import NoPosition, Rope


@dataclass(frozen=True)
class Context:
    """What varies from call to call: the position scheme, where the first token stands, the cache if any."""

    position: Rope | NoPosition
    at: int = 0
    cache: Cache | None = None


class Attention(nn.Module):
    """softmax(q·kᵀ / √K, causal) · v for each head (Vaswani et al. 2017, arXiv:1706.03762).

    Query heads share keys and values in groups of H / G (Ainslie et al. 2023, arXiv:2305.13245).
    `qk_norm` normalises queries and keys per head, which bounds the scores (Dehghani et al. 2023,
    arXiv:2302.05442).
    """

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.heads, self.kv_heads = layer, config.n_heads, config.n_kv_heads
        D, K = config.d_model, config.d_head
        self.query = nn.Linear(D, self.heads * K, bias=False)
        self.key = nn.Linear(D, self.kv_heads * K, bias=False)
        self.value = nn.Linear(D, self.kv_heads * K, bias=False)
        self.output = nn.Linear(self.heads * K, D, bias=False)
        self.query_norm = norm(K, config) if config.qk_norm else nn.Identity()
        self.key_norm = norm(K, config) if config.qk_norm else nn.Identity()
        self.dropout = config.dropout

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        """Mixes each token with those before it."""
        B, T, _ = x.shape
        q = self.query(x).view(B, T, self.heads, -1).transpose(1, 2)  # B H T K
        k = self.key(x).view(B, T, self.kv_heads, -1).transpose(1, 2)  # B G T K
        v = self.value(x).view(B, T, self.kv_heads, -1).transpose(1, 2)  # B G T K
        q = context.position.turn(self.query_norm(q), context.at)
        k = context.position.turn(self.key_norm(k), context.at)
        if context.cache is not None:
            k, v = context.cache.extended(self.layer, k, v)  # B G S K
        mixed = scaled_dot_product_attention(
            q, k, v,
            attn_mask=_mask(T, k.shape[-2], x.device),
            is_causal=k.shape[-2] == T and T > 1,
            dropout_p=self.dropout if self.training else 0.0,
            enable_gqa=self.kv_heads != self.heads,
        )  # fmt: skip
        output: Tensor = self.output(mixed.transpose(1, 2).reshape(B, T, -1))
        return output


def _mask(T: int, S: int, device: torch.device) -> Tensor | None:
    """What T new tokens behind S − T cached ones may see; none is needed for one token or without a cache."""
    if T in (1, S):
        return None
    return torch.ones(T, S, dtype=torch.bool, device=device).tril(S - T)
