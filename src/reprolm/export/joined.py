"""Queries, keys and values as one map, as older layouts have them."""

import torch
from torch import Tensor

from reprolm.export.layout import Named
from reprolm.model.config import ModelConfig


def _for_each_head(tensor: Tensor, config: ModelConfig) -> Tensor:
    """Rows of G key-value heads, repeated so that each of H query heads has its own."""
    heads = tensor.view(config.n_kv_heads, config.d_head, *tensor.shape[1:])
    return heads.repeat_interleave(config.n_heads // config.n_kv_heads, dim=0).flatten(0, 1)


def query_key_value(config: ModelConfig, block: Named) -> dict[str, Tensor]:
    """`weight` (3D × D) and `bias` of the joint map, from the tensors of a block; without biases zeros."""
    kinds = {}
    for kind in ("weight", "bias"):
        q, k, v = (block.get(f"attention.{part}.{kind}") for part in ("query", "key", "value"))
        if q is None or k is None or v is None:
            kinds[kind] = torch.zeros(3 * config.d_model)
        else:
            kinds[kind] = torch.cat([q, _for_each_head(k, config), _for_each_head(v, config)])
    return kinds


def block(layer: int, ours: Named) -> dict[str, Tensor]:
    """The tensors of a block, by their names within it."""
    prefix = f"blocks.{layer}."
    return {name.removeprefix(prefix): tensor for name, tensor in ours.items() if name.startswith(prefix)}
