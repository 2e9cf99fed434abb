"""Parts that other layouts lack, folded into weights that they have; exact up to rounding."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reprolm.model.attention import scale
from reprolm.model.config import ModelConfig


def scaled_queries(config: ModelConfig, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors with which scores are divided by √K: any other `model.attention_scale` goes into the queries.

    RoPE is linear, so that the factor may stand before it: in the gain of the queries' norm, or in their map.
    """
    if config.attention_scale == "sqrt_d_head":
        return dict(ours)
    factor = math.sqrt(config.d_head) * scale(config)
    part = "attention.query_norm." if config.qk_norm else "attention.query."
    return {name: tensor * factor if part in name else tensor for name, tensor in ours.items()}


def without_head_bias(config: ModelConfig, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors whose final norm has a bias and whose head has none.

    W·(n + β) + b = W·(n + β + W⁺·b), where the V rows of W are independent: `fits_head_bias`.
    """
    head = ours["embedding.weight" if config.tie_embeddings else "head.weight"]
    bias = ours.get("norm.bias", torch.zeros_like(ours["norm.gain"]))
    if config.bias.head:
        bias = bias + (torch.linalg.pinv(head.double()) @ ours["head.bias"].double()).to(bias.dtype)
    return {name: tensor for name, tensor in ours.items() if name != "head.bias"} | {"norm.bias": bias}


def fits_head_bias(config: ModelConfig, vocab_size: int) -> dict[str, tuple[Any, ...]]:
    """A bias of the head can go into that of the final norm if the vocabulary is no larger than the width."""
    return {"bias.head": (False, True) if vocab_size <= config.d_model else (False,)}
