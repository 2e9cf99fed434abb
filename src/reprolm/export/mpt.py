"""MPT: ALiBi, LayerNorm without a bias, exact GELU, no biases at all, a feed-forward four times as wide."""

import math
from typing import Any

from torch import Tensor

from reprolm.export.joined import block, query_key_value
from reprolm.export.layout import Layout, Named, Values
from reprolm.model.config import BiasConfig, ModelConfig

MAPS = {
    "attention.output": "attn.out_proj",
    "feedforward.up": "ffn.up_proj",
    "feedforward.down": "ffn.down_proj",
}
NORMS = {"attention_norm": "norm_1", "feedforward_norm": "norm_2"}


def _fits(config: ModelConfig, vocab_size: int) -> Values:  # noqa: ARG001
    power = 2 ** int(math.log2(config.n_heads))
    heads = {power, 2 * power} if power < config.n_heads else {power}
    return {
        "norm": ("layernorm",), "layernorm.bias": (False,), "position": ("alibi",), "qk_norm": (False,),
        # for other numbers its slopes are those of the neighbouring powers of two
        "n_heads": tuple(sorted(heads)), "feedforward": ("gelu",), "d_ff": (4 * config.d_model,),
        **{f"bias.{part}": (False,) for part in BiasConfig.model_fields},
    }  # fmt: skip


def _fields(config: ModelConfig) -> dict[str, Any]:
    return {
        "d_model": config.d_model, "n_heads": config.n_heads, "n_layers": config.n_layers,
        "expansion_ratio": 4, "max_seq_len": config.context_length, "learned_pos_emb": False, "no_bias": True,
        "layer_norm_epsilon": config.layernorm.epsilon,
        "attn_config": {"alibi": True, "alibi_bias_max": 8},
    }  # fmt: skip


def _tensors(config: ModelConfig, ours: Named) -> dict[str, Tensor]:
    theirs = {
        "transformer.wte.weight": ours["embedding.weight"], "transformer.norm_f.weight": ours["norm.gain"],
    }  # fmt: skip
    if not config.tie_embeddings:
        theirs["lm_head.weight"] = ours["head.weight"]
    for layer in range(config.n_layers):
        parts, prefix = block(layer, ours), f"transformer.blocks.{layer}"
        theirs[f"{prefix}.attn.Wqkv.weight"] = query_key_value(config, parts)["weight"]
        theirs |= {f"{prefix}.{their}.weight": parts[f"{our}.gain"] for our, their in NORMS.items()}
        theirs |= {f"{prefix}.{their}.weight": parts[f"{our}.weight"] for our, their in MAPS.items()}
    return theirs


MPT = Layout("MPT", "mpt", "MptForCausalLM", _fits, _fields, _tensors)
