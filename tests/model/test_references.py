"""The decoder against a foreign implementation with the same weights."""

import pytest
import torch

from reprolm.model.initialise import initialise
from reprolm.model.transformer import Transformer
from tests.settings import model_config

transformers = pytest.importorskip("transformers")
VOCABULARY = 61
NAMES = {
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "feedforward": "mlp",
    "feedforward.gate": "mlp.gate_proj",
    "feedforward.up": "mlp.up_proj",
    "feedforward.down": "mlp.down_proj",
    "attention_norm": "input_layernorm",
    "feedforward_norm": "post_attention_layernorm",
}


def llama(model: Transformer) -> torch.nn.Module:
    """Hugging Face's Llama with the weights of ours."""
    config = model.config
    foreign = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=config.d_model, intermediate_size=config.d_ff,
        num_hidden_layers=config.n_layers, num_attention_heads=config.n_heads,
        num_key_value_heads=config.n_kv_heads, rms_norm_eps=config.rmsnorm.epsilon,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope.theta},
        max_position_embeddings=config.context_length, tie_word_embeddings=config.tie_embeddings,
    )).eval()  # fmt: skip
    tensors = {"model.embed_tokens.weight": model.embedding.weight, "lm_head.weight": model.head.weight}
    tensors["model.norm.weight"] = model.norm.gain
    for layer, block in enumerate(model.blocks):
        for name, tensor in block.named_parameters():
            part, _, kind = name.rpartition(".")
            tensors[f"model.layers.{layer}.{NAMES[part]}.{kind.replace('gain', 'weight')}"] = tensor
    foreign.load_state_dict({name: tensor.detach().clone() for name, tensor in tensors.items()})
    return foreign


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_logits_losses_and_gradients_are_those_of_llama(kv_heads: int, tied: bool) -> None:
    config = model_config(n_kv_heads=kv_heads, tie_embeddings=tied, feedforward="swiglu", qk_norm=False)
    model = initialise(Transformer(config, VOCABULARY), seed=5).eval()
    for name, tensor in model.named_parameters():  # gains of one would hide a swapped norm
        if tensor.ndim == 1:
            torch.nn.init.uniform_(tensor, 0.5, 1.5, generator=torch.Generator().manual_seed(len(name)))
    foreign = llama(model)
    x = torch.randint(VOCABULARY, (3, 16), generator=torch.Generator().manual_seed(1))
    ours, theirs = model(x), foreign(x).logits
    assert float((ours - theirs).abs().max()) <= 1e-5
    for logits in (ours, theirs):
        torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), x[:, 1:].flatten()).backward()
    assert torch.allclose(model.embedding.weight.grad, foreign.model.embed_tokens.weight.grad, atol=1e-6)
    down = foreign.model.layers[0].mlp.down_proj.weight.grad
    assert torch.allclose(model.blocks[0].feedforward.down.weight.grad, down, atol=1e-6)
