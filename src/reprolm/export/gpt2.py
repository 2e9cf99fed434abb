"""GPT-2: LayerNorm, a table of positions, plain feed-forwards, biases everywhere, matrices transposed."""

from typing import Any

import torch
from torch import Tensor

from reprolm.export.fold import fits_head_bias, without_head_bias
from reprolm.export.joined import block, query_key_value
from reprolm.export.layout import ACTIVATIONS, PLAIN, Layout, Named, Values
from reprolm.model.config import ModelConfig
from reprolm.model.position import Sinusoidal

NORMS = {"attention_norm": "ln_1", "feedforward_norm": "ln_2"}
MAPS = {"attention.output": "attn.c_proj", "feedforward.up": "mlp.c_fc", "feedforward.down": "mlp.c_proj"}


def _fits(config: ModelConfig, vocab_size: int) -> Values:
    return {
        "norm": ("layernorm",), "position": ("learned", "sinusoidal", "none"), "qk_norm": (False,),
        "feedforward": PLAIN, **fits_head_bias(config, vocab_size),
    }  # fmt: skip


def _fields(config: ModelConfig) -> dict[str, Any]:
    return {
        "n_positions": config.context_length, "n_embd": config.d_model, "n_layer": config.n_layers,
        "n_head": config.n_heads, "n_inner": config.d_ff, "layer_norm_epsilon": config.layernorm.epsilon,
        "activation_function": ACTIVATIONS[config.feedforward],
        "resid_pdrop": config.dropout, "embd_pdrop": config.dropout, "attn_pdrop": config.dropout,
    }  # fmt: skip


def _positions(config: ModelConfig, ours: Named) -> Tensor:
    """The table of the layout: trained, of waves, or zeros for no positions."""
    if config.position == "learned":
        return ours["position.table.weight"][: config.context_length]
    if config.position == "sinusoidal":
        return Sinusoidal(config).table
    return torch.zeros(config.context_length, config.d_model)


def _block(config: ModelConfig, ours: Named) -> dict[str, Tensor]:
    theirs: dict[str, Tensor] = {}
    for our, their in NORMS.items():
        gain = ours[f"{our}.gain"]
        theirs |= {f"{their}.weight": gain, f"{their}.bias": ours.get(f"{our}.bias", torch.zeros_like(gain))}
    joint = query_key_value(config, ours)
    theirs |= {"attn.c_attn.weight": joint["weight"].T, "attn.c_attn.bias": joint["bias"]}
    for our, their in MAPS.items():
        weight = ours[f"{our}.weight"]
        theirs[f"{their}.weight"] = weight.T
        theirs[f"{their}.bias"] = ours.get(f"{our}.bias", torch.zeros(len(weight)))
    return theirs


def _tensors(config: ModelConfig, ours: Named) -> dict[str, Tensor]:
    ours = without_head_bias(config, ours)
    theirs = {
        "transformer.wte.weight": ours["embedding.weight"],
        "transformer.wpe.weight": _positions(config, ours),
        "transformer.ln_f.weight": ours["norm.gain"], "transformer.ln_f.bias": ours["norm.bias"],
    }  # fmt: skip
    if not config.tie_embeddings:
        theirs["lm_head.weight"] = ours["head.weight"]
    for layer in range(config.n_layers):
        parts = _block(config, block(layer, ours))
        theirs |= {f"transformer.h.{layer}.{name}": tensor for name, tensor in parts.items()}
    return theirs


GPT2 = Layout("GPT-2", "gpt2", "GPT2LMHeadModel", _fits, _fields, _tensors)
