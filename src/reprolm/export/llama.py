"""Llama, and the dense layouts that are spelled like it: Qwen3, Arcee, Apertus."""

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from reprolm.export.layout import ACTIVATIONS, GATED, PLAIN, Layout, Named, Values
from reprolm.model.config import ModelConfig

Parts = Mapping[str, str]
"""The parts of a block: our name, theirs."""

ATTENTION = {
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
}
NORMS = {"attention_norm": "input_layernorm", "feedforward_norm": "post_attention_layernorm"}
QK_NORM = {"attention.query_norm": "self_attn.q_norm", "attention.key_norm": "self_attn.k_norm"}
UP_DOWN = {"feedforward.up": "mlp.up_proj", "feedforward.down": "mlp.down_proj"}
GATE_UP_DOWN = {"feedforward.gate": "mlp.gate_proj"} | UP_DOWN


def named(parts: Parts, biased: Collection[str], config: ModelConfig, ours: Named) -> dict[str, Tensor]:
    """Tensors by Llama's names; `parts` are those of a block, `biased` ones have a bias, if only zeros."""
    everywhere = {"embedding": "model.embed_tokens", "norm": "model.norm"}
    if not config.tie_embeddings:
        everywhere["head"] = "lm_head"
    for layer in range(config.n_layers):
        everywhere |= {
            f"blocks.{layer}.{our}": f"model.layers.{layer}.{their}" for our, their in parts.items()
        }
    theirs = {}
    for our, their in everywhere.items():
        weight = ours.get(f"{our}.weight", ours.get(f"{our}.gain"))
        assert weight is not None, our
        theirs[f"{their}.weight"] = weight
        if f"{our}.bias" in ours:
            theirs[f"{their}.bias"] = ours[f"{our}.bias"]
        elif our.partition(".")[2].partition(".")[2] in biased:
            theirs[f"{their}.bias"] = torch.zeros(len(weight))
    return theirs


def biased_attention(config: ModelConfig) -> Collection[str]:
    """These layouts have biases in all four maps of attention, or in none."""
    return ATTENTION if config.bias.query_key_value or config.bias.attention_output else ()


def rotary(config: ModelConfig) -> dict[str, Any]:
    """The fields that all in this family share."""
    return {
        "hidden_size": config.d_model, "intermediate_size": config.d_ff, "head_dim": config.d_head,
        "num_hidden_layers": config.n_layers, "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads, "max_position_embeddings": config.context_length,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope.theta},
        "hidden_act": ACTIVATIONS[config.moe.expert if config.feedforward == "moe" else config.feedforward],
    }  # fmt: skip


def fits(config: ModelConfig, *, qk_norm: bool) -> Values:
    """What all with RMSNorm ask for."""
    values: Values = {
        "norm": ("rmsnorm",), "position": ("rope",), "qk_norm": (qk_norm,), "bias.head": (False,)
    }  # fmt: skip
    if qk_norm and config.norm == "rmsnorm":
        # one epsilon serves all norms there, and that of our QK-norm is fixed
        values["rmsnorm.epsilon"] = (1e-6,)
    return values


def _dense(
    name: str, parts: Parts, feedforwards: tuple[str, ...], *, qk_norm: bool, mlp_bias: bool
) -> Layout:
    """A layout with RMSNorm, RoPE and one feed-forward; `mlp_bias` tells whether that may have biases."""

    def fitting(config: ModelConfig, vocab_size: int) -> Values:  # noqa: ARG001
        biases: Values = {} if mlp_bias else {"bias.feedforward": (False,)}
        return fits(config, qk_norm=qk_norm) | {"feedforward": feedforwards} | biases

    def fields(config: ModelConfig) -> dict[str, Any]:
        biases = {"mlp_bias": config.bias.feedforward} if mlp_bias else {}
        own = {"rms_norm_eps": config.rmsnorm.epsilon, "attention_bias": bool(biased_attention(config))}
        return rotary(config) | own | biases

    def tensors(config: ModelConfig, ours: Named) -> dict[str, Tensor]:
        return named(parts, biased_attention(config), config, ours)

    return Layout(name, name.lower(), f"{name}ForCausalLM", fitting, fields, tensors)


LLAMA = _dense("Llama", ATTENTION | NORMS | GATE_UP_DOWN, GATED, qk_norm=False, mlp_bias=True)
QWEN3 = _dense("Qwen3", ATTENTION | NORMS | QK_NORM | GATE_UP_DOWN, GATED, qk_norm=True, mlp_bias=False)
ARCEE = _dense("Arcee", ATTENTION | NORMS | UP_DOWN, PLAIN, qk_norm=False, mlp_bias=True)
APERTUS = _dense(
    "Apertus",
    ATTENTION | QK_NORM | UP_DOWN
    | {"attention_norm": "attention_layernorm", "feedforward_norm": "feedforward_layernorm"},
    PLAIN, qk_norm=True, mlp_bias=False,
)  # fmt: skip
