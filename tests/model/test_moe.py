"""The mixture of experts."""

import pytest
import torch

from reprolm.errors import ReprolmError
from reprolm.model.context import Context, Trace
from reprolm.model.moe import MixtureOfExperts
from reprolm.model.transformer import Transformer
from tests.model.combinations import built, tokens
from tests.settings import raw


def mixture(
    n_experts: int = 4, top_k: int = 2, normalised: bool = True, expert: str = "swiglu"
) -> Transformer:
    options = {"n_experts": n_experts, "top_k": top_k, "normalised": normalised, "expert": expert}
    return built(feedforward="moe", moe=raw("model")["moe"] | options)


def layer(model: Transformer) -> MixtureOfExperts:
    part = model.blocks[0].feedforward
    assert isinstance(part, MixtureOfExperts)
    return part


@pytest.mark.parametrize("top_k", [1, 2, 4])
@pytest.mark.parametrize("normalised", [True, False])
def test_it_is_the_weighted_sum_of_the_chosen_experts_token_by_token(top_k: int, normalised: bool) -> None:
    if top_k == 1 and normalised:
        pytest.skip("refused")
    model = mixture(top_k=top_k, normalised=normalised)
    part, context = layer(model), Context(model.position)
    x = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(0))
    y = part(x, context)
    for b in range(2):
        for t in range(5):
            p = (part.router.weight @ x[b, t]).softmax(0)
            best = p.argsort(descending=True)[:top_k]
            total = p[best].sum() if normalised else 1.0
            expected = sum(p[e] / total * part.experts[int(e)](x[b, t][None], context)[0] for e in best)
            assert torch.allclose(y[b, t], expected, atol=1e-5)


def test_a_single_expert_is_the_dense_model() -> None:
    mixed = mixture(n_experts=1, top_k=1, normalised=False)
    dense = built(feedforward="swiglu")
    tensors = {
        name.replace(".experts.0", ""): t for name, t in mixed.state_dict().items() if "router" not in name
    }
    dense.load_state_dict(tensors)
    assert torch.allclose(dense(tokens(2, 8)), mixed(tokens(2, 8)), atol=1e-6)


def test_no_token_is_dropped_when_all_choose_one_expert() -> None:
    model = mixture(top_k=1, normalised=False)
    part = layer(model)
    torch.nn.init.zeros_(part.router.weight)
    part.router.weight.data[2] = 1.0
    trace = Trace()
    x = torch.ones(3, 7, 32) + 0.01 * torch.randn(3, 7, 32, generator=torch.Generator().manual_seed(0))
    y = part(x, Context(model.position, trace=trace))
    assert (y.flatten(0, 1).abs().sum(-1) > 0).all()
    assert trace.routing[0].load.tolist() == [0.0, 0.0, 1.0, 0.0]
    assert trace.routing[0].balance.item() == pytest.approx(4.0, abs=0.01)


def test_the_balance_loss_of_equal_use_is_one_and_it_pulls_towards_that() -> None:
    model = mixture(top_k=1, normalised=False)
    part = layer(model)
    x = torch.randn(4, 64, 32, generator=torch.Generator().manual_seed(0))
    optimizer, balances = torch.optim.SGD([part.router.weight], lr=3.0), []
    part.router.weight.data[0] += 0.3 * x.flatten(0, 1).mean(0)
    part.router.weight.data *= 3
    for _ in range(60):
        trace = Trace()
        part(x, Context(model.position, trace=trace))
        balances.append(trace.routing[0].balance.item())
        assert trace.routing[0].load.sum().item() == pytest.approx(1.0)
        optimizer.zero_grad()
        trace.routing[0].balance.backward()
        optimizer.step()
    assert balances[-1] < balances[0]
    assert balances[-1] == pytest.approx(1.0, abs=0.05)


def test_every_layer_tells_its_routing() -> None:
    model, trace = mixture(), Trace()
    model(tokens(2, 8), trace=trace)
    assert len(trace.routing) == model.config.n_layers


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            {"n_experts": 2, "top_k": 3, "normalised": True},
            "model.moe.top_k: is above model.moe.n_experts = 2 (got 3; want at most 2)",
        ),
        (
            {"n_experts": 2, "top_k": 1, "normalised": True},
            "model.moe.normalised: gives the router no gradient",
        ),
    ],
)
def test_an_impossible_choice_of_experts_is_one_line(options: dict[str, int], line: str) -> None:
    with pytest.raises(ReprolmError) as caught:
        built(feedforward="moe", moe=raw("model")["moe"] | options)
    assert line in str(caught.value)
