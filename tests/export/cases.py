"""Architectures that each layout expresses."""

from typing import Any

from tests.settings import raw

PLAIN = {"norm": "layernorm", "qk_norm": False, "position": "learned", "feedforward": "gelu"}
MOE = {"expert": "swiglu", "n_experts": 4, "top_k": 2, "normalised": True, "balance_coefficient": 0.01}
ALIBI = PLAIN | {"position": "alibi", "d_ff": 128, "layernorm": {"epsilon": 1e-5, "bias": False}}


def biases(*parts: str) -> dict[str, bool]:
    """Biases in some parts alone."""
    return {part: part in parts for part in raw("model")["bias"]}


EVERYWHERE = biases("query_key_value", "attention_output", "feedforward")
CASES: dict[str, list[dict[str, Any]]] = {
    "Llama": [
        {"feedforward": "swiglu", "qk_norm": False},
        {"feedforward": "geglu", "qk_norm": False, "n_kv_heads": 1, "bias": EVERYWHERE,
         "tie_embeddings": True},
        {"feedforward": "swiglu", "qk_norm": False, "n_kv_heads": 4, "bias": biases("attention_output")},
        {"feedforward": "swiglu", "qk_norm": False, "attention_scale": "d_head", "bias": EVERYWHERE},
    ],
    "Qwen3": [
        {"feedforward": "swiglu", "bias": biases("query_key_value")},
        {"feedforward": "geglu", "attention_scale": "sqrt_d_model", "tie_embeddings": True},
    ],
    "GPT-2": [
        PLAIN | {"bias": EVERYWHERE, "tie_embeddings": True, "n_kv_heads": 4},
        PLAIN | {"position": "sinusoidal", "feedforward": "relu2", "attention_scale": "sqrt_d_model"},
        PLAIN | {"position": "none", "feedforward": "relu", "bias": biases("feedforward", "head"),
                 "layernorm": {"epsilon": 1e-3, "bias": False}},
        PLAIN | {"learned": {"n_positions": 40}, "feedforward": "silu", "n_kv_heads": 1,
                 "bias": biases("query_key_value", "head"), "tie_embeddings": True},
    ],
    "Mixtral": [
        {"feedforward": "moe", "moe": MOE, "qk_norm": False},
        {"feedforward": "moe", "moe": MOE | {"expert": "geglu", "top_k": 3}, "qk_norm": False,
         "tie_embeddings": True},
    ],
    "MPT": [ALIBI, ALIBI | {"tie_embeddings": True, "attention_scale": "one", "n_heads": 8, "n_kv_heads": 8}],
    "Arcee": [{"qk_norm": False, "bias": EVERYWHERE}, {"qk_norm": False, "feedforward": "gelu"}],
    "Apertus": [{}, {"feedforward": "silu", "bias": biases("attention_output"), "tie_embeddings": True}],
    "Starcoder2": [
        PLAIN | {"position": "rope"},
        PLAIN | {"position": "rope", "bias": biases("feedforward", "head"), "tie_embeddings": True},
    ],
    "Qwen3-MoE": [{"feedforward": "moe", "moe": MOE | {"normalised": False, "top_k": 1}}],
    "Qwen2-MoE": [
        {"feedforward": "moe", "moe": MOE | {"normalised": False, "top_k": 1}, "qk_norm": False,
         "bias": biases("query_key_value")},
    ],
}  # fmt: skip
