"""The decoder against foreign implementations with the same weights."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from reprolm.export.choose import LAYOUTS, layout_for
from reprolm.model.context import Trace
from reprolm.model.initialise import initialise
from reprolm.model.transformer import Transformer
from tests.settings import model_config, raw

transformers = pytest.importorskip("transformers")
VOCABULARY = 29
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
ALL = [
    pytest.param(name, kinds, id=f"{name}-{index}")
    for name, cases in CASES.items() for index, kinds in enumerate(cases)
]  # fmt: skip


def built(kinds: dict[str, Any]) -> Transformer:
    """A model in which no gain is one and no bias zero: a swapped one would not be seen."""
    model = initialise(Transformer(model_config(**kinds), VOCABULARY), seed=5).eval()
    for index, (name, tensor) in enumerate(model.named_parameters()):
        if tensor.ndim == 1:
            low = 0.5 if name.endswith("gain") else -0.5
            torch.nn.init.uniform_(tensor, low, low + 1, generator=torch.Generator().manual_seed(index))
    return model


def in_memory(theirs: dict[str, Tensor], experts: int) -> dict[str, Tensor]:
    """Tensors as modules of `transformers` hold them: the experts, apart in its files, stacked."""
    theirs = {name.replace("block_sparse_moe", "mlp"): tensor for name, tensor in theirs.items()}
    for mlp in sorted({name.partition("experts.")[0] for name in theirs if ".experts." in name}):
        mixtral = f"{mlp}experts.0.w1.weight" in theirs
        words = ("w1", "w3", "w2") if mixtral else ("gate_proj", "up_proj", "down_proj")
        gate, up, down = (
            torch.stack([theirs.pop(f"{mlp}experts.{e}.{word}.weight") for e in range(experts)])
            for word in words
        )
        theirs |= {f"{mlp}experts.gate_up_proj": torch.cat([gate, up], 1), f"{mlp}experts.down_proj": down}
    return theirs


def foreign(model: Transformer) -> tuple[torch.nn.Module, dict[str, Tensor]]:
    """The model of `transformers` for the architecture, and its tensors as functions of ours."""
    config = model.config
    layout = layout_for(config, VOCABULARY)
    fields = layout.configuration(config, VOCABULARY, end=None)
    built = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(**fields)).eval()
    assert type(built).__name__ == layout.architecture
    ours = dict(model.named_parameters())  # which names a tied head once, as the embedding
    theirs = in_memory(layout.converted(config, ours), config.moe.n_experts)
    lacking = {"lm_head.weight"} if config.tie_embeddings else set()
    assert set(built.state_dict()) - lacking == set(theirs)
    return built, theirs


def loss(logits: Tensor, x: Tensor) -> Tensor:
    """The mean loss of the next token."""
    return cross_entropy(logits[:, :-1].flatten(0, 1), x[:, 1:].flatten())


def tokens() -> Tensor:
    """Random tokens."""
    return torch.randint(VOCABULARY, (3, 16), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("name", "kinds"), ALL)
def test_logits_losses_and_gradients_are_those_of_a_foreign_model(name: str, kinds: dict[str, Any]) -> None:
    model, x = built(kinds), tokens()
    assert layout_for(model.config, VOCABULARY).name == name
    other, theirs = foreign(model)
    logits, reference = model(x), functional_call(other, theirs, (x,)).logits
    assert float((logits - reference).detach().abs().max()) <= 1e-5
    ours, their_loss = loss(logits, x), loss(reference, x)
    assert float((ours - their_loss).detach().abs()) <= 1e-6
    parameters = dict(model.named_parameters())
    gradients = torch.autograd.grad(ours, list(parameters.values()))
    through_theirs = torch.autograd.grad(their_loss, list(parameters.values()))
    for part, own, their in zip(parameters, gradients, through_theirs, strict=True):
        assert float((own - their).abs().max()) <= 1e-5 * float(own.abs().max()) + 1e-9, part


def test_every_layout_has_a_case() -> None:
    assert [layout.name for layout in LAYOUTS] == list(CASES)


def test_the_balance_loss_is_that_of_mixtral() -> None:
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    model = built(CASES["Mixtral"][0] | {"n_layers": 1})
    other, theirs = foreign(model)
    trace, x, moe = Trace(), tokens(), model.config.moe
    model(x, trace=trace)
    gates = functional_call(other, theirs, (x,), {"output_router_logits": True}).router_logits
    reference = load_balancing_loss_func(gates, moe.n_experts, moe.top_k)
    # theirs sums the shares of the k choices, ours is their mean
    assert torch.allclose(trace.routing[0].balance, reference / moe.top_k, atol=1e-6)
