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
from tests.export.cases import CASES
from tests.settings import model_config

transformers = pytest.importorskip("transformers")
VOCABULARY = 29
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
