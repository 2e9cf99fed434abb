"""What a fresh model says, and what it can learn."""

import math
from typing import Any

import pytest
import torch

from reprolm.errors import ReprolmError
from reprolm.model.config import ModelConfig
from reprolm.model.initialise import initialise
from reprolm.model.transformer import Transformer
from tests.model.combinations import ALL, KINDS, VOCABULARY, built, tokens
from tests.settings import model_config


@ALL
def test_the_first_loss_is_that_of_guessing(kinds: dict[str, Any]) -> None:
    values = model_config(**kinds | {"initialisation": "normal"}).model_dump()
    values["normal"] = values["normal"] | {"standard_deviation": 0.02, "embedding_standard_deviation": 0.02}
    assert first_loss(values) == pytest.approx(math.log(VOCABULARY), abs=0.1)


@pytest.mark.parametrize("initialisation", ["torch", "xavier"])
def test_other_initialisations_start_near_guessing_too(initialisation: str) -> None:
    values = model_config(initialisation=initialisation, tie_embeddings=False).model_dump()
    # logits of variance 1/3 and 2·D/(D + V), half of which is lost against ln V
    assert first_loss(values) == pytest.approx(math.log(VOCABULARY), abs=0.6)


def first_loss(values: dict[str, Any]) -> float:
    model = initialise(Transformer(ModelConfig(**values), VOCABULARY), seed=3)
    x = tokens(32, 16)
    return loss(model, x).item()


def loss(model: Transformer, x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())


WORDS = [(family, word) for family, words in KINDS.items() for word in words]


@pytest.mark.parametrize(("family", "word"), WORDS)
def test_one_batch_is_learned_by_heart(family: str, word: str) -> None:
    model, x = built(**{family: word}).train(), tokens(4, 16)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(120):
        value = loss(model, x)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    assert value.item() < 0.1


def test_a_soft_cap_bounds_the_logits_and_keeps_their_order() -> None:
    free, capped = built(), built(logit_soft_cap=0.5)
    x = tokens(2, 8)
    assert float(capped(x).abs().max()) < 0.5
    assert torch.allclose(capped(x), 0.5 * torch.tanh(free(x) / 0.5))


@pytest.mark.parametrize("part", ["query_key_value", "attention_output", "feedforward", "head"])
def test_a_bias_acts(part: str) -> None:
    biases = dict.fromkeys(("query_key_value", "attention_output", "feedforward", "head"), False) | {
        part: True
    }
    model, plain = built(bias=biases, feedforward="gelu"), built(feedforward="gelu")
    x = tokens(1, 8)
    assert torch.allclose(model(x), plain(x))  # they start at zero
    for name, tensor in model.named_parameters():
        if name.endswith(".bias"):
            torch.nn.init.normal_(tensor, generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(model(x), plain(x), atol=1e-3)


def test_models_that_differ_in_one_part_share_every_other_initial_tensor() -> None:
    one, other = built(feedforward="swiglu").state_dict(), built(feedforward="relu2").state_dict()
    common = one.keys() & other.keys()
    assert common
    assert all(torch.equal(one[name], other[name]) for name in common)
    assert any("gate" in name for name in one.keys() - other.keys())


def test_another_seed_gives_other_weights() -> None:
    config = model_config()
    one, other = (initialise(Transformer(config, VOCABULARY), seed) for seed in (1, 2))
    assert not torch.equal(one.embedding.weight, other.embedding.weight)


def test_more_tokens_than_the_context_are_refused() -> None:
    with pytest.raises(
        ReprolmError, match=r"tokens: are too many \(got 17; want at most model.context_length = 16"
    ):
        built()(tokens(1, 17))
