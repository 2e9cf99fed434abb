"""Starcoder2: RoPE with LayerNorm, plain feed-forwards, biases everywhere."""

from typing import Any

from torch import Tensor

from reprolm.export.fold import fits_head_bias, without_head_bias
from reprolm.export.layout import PLAIN, Layout, Named, Values
from reprolm.export.llama import ATTENTION, NORMS, named, rotary
from reprolm.model.config import ModelConfig

FEEDFORWARD = {"feedforward.up": "mlp.c_fc", "feedforward.down": "mlp.c_proj"}


def _fits(config: ModelConfig, vocab_size: int) -> Values:
    return {
        "norm": ("layernorm",), "position": ("rope",), "qk_norm": (False,), "feedforward": PLAIN,
    } | fits_head_bias(config, vocab_size)  # fmt: skip


def _use_bias(config: ModelConfig) -> bool:
    """Every map of a block has a bias there, or none."""
    bias = config.bias
    return bias.query_key_value or bias.attention_output or bias.feedforward


def _fields(config: ModelConfig) -> dict[str, Any]:
    return rotary(config) | {"norm_epsilon": config.layernorm.epsilon, "use_bias": _use_bias(config)}


def _tensors(config: ModelConfig, ours: Named) -> dict[str, Tensor]:
    biased = [*NORMS, *(ATTENTION | FEEDFORWARD if _use_bias(config) else ())]
    return named(ATTENTION | NORMS | FEEDFORWARD, biased, config, without_head_bias(config, ours))


STARCODER2 = Layout("Starcoder2", "starcoder2", "Starcoder2ForCausalLM", _fits, _fields, _tensors)
