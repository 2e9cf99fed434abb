"""Mixtures of experts, each gated, on RMSNorm and RoPE: Mixtral, Qwen3-MoE, Qwen2-MoE."""

from typing import Any

import torch
from torch import Tensor

from reprolm.export.layout import GATED, Layout, Named, Values
from reprolm.export.llama import (
    ATTENTION,
    GATE_UP_DOWN,
    NORMS,
    QK_NORM,
    biased_attention,
    fits,
    named,
    rotary,
)
from reprolm.model.config import ModelConfig

MIXTRAL_NAMES = {"gate": "w1", "down": "w2", "up": "w3"}


def _fits(config: ModelConfig, *, qk_norm: bool) -> dict[str, tuple[Any, ...]]:
    return {
        **fits(config, qk_norm=qk_norm), "feedforward": ("moe",), "moe.expert": GATED,
        "bias.feedforward": (False,),
    }  # fmt: skip


def _fields(config: ModelConfig) -> dict[str, Any]:
    return rotary(config) | {
        "rms_norm_eps": config.rmsnorm.epsilon, "num_experts_per_tok": config.moe.top_k,
        "router_aux_loss_coef": config.moe.balance_coefficient,
    }  # fmt: skip


def _mixtral_fits(config: ModelConfig, vocab_size: int) -> Values:  # noqa: ARG001
    unbiased = {"bias.query_key_value": (False,), "bias.attention_output": (False,)}
    return _fits(config, qk_norm=False) | {"moe.normalised": (True,)} | unbiased


def _mixtral_fields(config: ModelConfig) -> dict[str, Any]:
    return _fields(config) | {"num_local_experts": config.moe.n_experts}


def _mixtral_tensors(config: ModelConfig, ours: Named) -> dict[str, Tensor]:
    experts = {
        f"feedforward.experts.{e}.{our}": f"block_sparse_moe.experts.{e}.{their}"
        for e in range(config.moe.n_experts) for our, their in MIXTRAL_NAMES.items()
    }  # fmt: skip
    router = {"feedforward.router": "block_sparse_moe.gate"}
    return named(ATTENTION | NORMS | router | experts, (), config, ours)


def _qwen_fields(config: ModelConfig) -> dict[str, Any]:
    return _fields(config) | {
        "num_experts": config.moe.n_experts, "moe_intermediate_size": config.d_ff,
        "norm_topk_prob": config.moe.normalised,
    }  # fmt: skip


def _qwen_parts(config: ModelConfig) -> dict[str, str]:
    experts = {
        our.replace(".", f".experts.{e}."): their.replace(".", f".experts.{e}.")
        for e in range(config.moe.n_experts) for our, their in GATE_UP_DOWN.items()
    }  # fmt: skip
    return ATTENTION | NORMS | {"feedforward.router": "mlp.gate"} | experts


def _qwen3_fits(config: ModelConfig, vocab_size: int) -> Values:  # noqa: ARG001
    return _fits(config, qk_norm=True)


def _qwen3_fields(config: ModelConfig) -> dict[str, Any]:
    return _qwen_fields(config) | {"attention_bias": bool(biased_attention(config))}


def _qwen3_tensors(config: ModelConfig, ours: Named) -> dict[str, Tensor]:
    return named(_qwen_parts(config) | QK_NORM, biased_attention(config), config, ours)


def _qwen2_fits(config: ModelConfig, vocab_size: int) -> Values:  # noqa: ARG001
    return _fits(config, qk_norm=False) | {"bias.attention_output": (False,)}


def _qwen2_fields(config: ModelConfig) -> dict[str, Any]:
    return _qwen_fields(config) | {
        "qkv_bias": config.bias.query_key_value, "shared_expert_intermediate_size": 1,
    }  # fmt: skip


def _qwen2_tensors(config: ModelConfig, ours: Named) -> dict[str, Tensor]:
    """Beside the experts this layout has one that every token goes through: of one channel, all zeros."""
    theirs = named(_qwen_parts(config), (), config, ours)
    for layer in range(config.n_layers):
        part = f"model.layers.{layer}.mlp.shared_expert"
        theirs[f"{part}_gate.weight"] = torch.zeros(1, config.d_model)
        for name in ("gate", "up"):
            theirs[f"{part}.{name}_proj.weight"] = torch.zeros(1, config.d_model)
        theirs[f"{part}.down_proj.weight"] = torch.zeros(config.d_model, 1)
    return theirs


MIXTRAL = Layout("Mixtral", "mixtral", "MixtralForCausalLM", _mixtral_fits, _mixtral_fields, _mixtral_tensors)
QWEN3_MOE = Layout(
    "Qwen3-MoE", "qwen3_moe", "Qwen3MoeForCausalLM", _qwen3_fits, _qwen3_fields, _qwen3_tensors
)
QWEN2_MOE = Layout(
    "Qwen2-MoE", "qwen2_moe", "Qwen2MoeForCausalLM", _qwen2_fits, _qwen2_fields, _qwen2_tensors
)
