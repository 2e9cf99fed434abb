"""Parameters and operations."""

import pytest
import torch

from reprolm.model.count import flops_per_token, parameters
from tests.model.combinations import VOCABULARY, built
from tests.settings import raw

D, F, K, V = 32, 64, 8, VOCABULARY


def test_parameters_are_counted_by_part_and_a_tied_head_once() -> None:
    tied, untied = built(tie_embeddings=True), built(tie_embeddings=False)
    expected = {
        "embedding": V * D, "position": 0, "attention": 2 * (D * 4 * K + 2 * D * 2 * K + 4 * K * D),
        "feedforward": 2 * 2 * D * F, "norm": 5 * D + 2 * 2 * K, "head": 0,
    }  # fmt: skip
    counts = parameters(tied)
    assert {part: counts[part] for part in expected} == expected
    assert (
        counts["total"]
        == counts["active"]
        == sum(expected.values())
        == sum(p.numel() for p in tied.parameters())
    )
    assert parameters(untied)["total"] == counts["total"] + V * D
    assert flops_per_token(tied) == flops_per_token(untied)


def test_biases_belong_to_their_parts_and_positions_are_a_part() -> None:
    plain = {"norm": "layernorm", "position": "learned", "qk_norm": False, "feedforward": "gelu"}
    with_, without = (built(bias=dict.fromkeys(raw("model")["bias"], on), **plain) for on in (True, False))
    more = {part: parameters(with_)[part] - parameters(without)[part] for part in parameters(with_)}
    assert more["attention"] == 2 * (4 * K + 2 * 2 * K + D)
    assert more["feedforward"] == 2 * (F + D)
    assert more["head"] == V
    assert more["norm"] == more["position"] == more["embedding"] == 0
    assert parameters(with_)["position"] == 16 * D
    assert parameters(with_)["norm"] == 5 * 2 * D


def test_of_the_experts_those_that_are_chosen_are_active() -> None:
    moe = raw("model")["moe"] | {"n_experts": 4, "top_k": 1, "expert": "swiglu"}
    mixed, dense = built(feedforward="moe", moe=moe), built(feedforward="swiglu")
    router = 2 * 4 * D
    assert parameters(mixed)["total"] == parameters(dense)["total"] + 2 * 3 * (3 * D * F) + router
    assert parameters(mixed)["active"] == parameters(dense)["total"] + router
    assert flops_per_token(mixed) == flops_per_token(dense) + 6 * router


@pytest.mark.parametrize("feedforward", ["relu2", "swiglu"])
def test_operations_are_those_that_torch_counts(feedforward: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model = built(feedforward=feedforward, n_kv_heads=4)
    x = torch.zeros(1, 16, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        model(x).sum().backward()
    # the formula takes attention as if no score was masked, as torch does, and nothing for norms
    assert flops_per_token(model) * 16 == pytest.approx(counter.get_total_flops(), rel=0.2)
