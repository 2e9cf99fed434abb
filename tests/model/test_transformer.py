"""Properties of the decoder for every combination of kinds."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from reprolm.config import words
from reprolm.errors import ReprolmError
from reprolm.model.cache import Cache
from reprolm.model.config import ModelConfig
from reprolm.model.count import flops_per_token, parameters
from reprolm.model.initialise import initialise
from reprolm.model.transformer import Transformer
from tests.settings import model_config

VOCABULARY = 50
FAMILIES = ("norm", "norm_placement", "position", "feedforward")


def combinations() -> Iterator[dict[str, Any]]:
    """Every word of every family, with and without shared key-value heads, tied embeddings and QK-norm."""
    kinds = {family: words(ModelConfig.model_fields[family].annotation) for family in FAMILIES}
    kinds |= {"n_kv_heads": (4, 2, 1), "qk_norm": (True, False), "tie_embeddings": (True, False)}  # type: ignore[dict-item]
    for values in itertools.product(*kinds.values()):
        yield dict(zip(kinds, values, strict=True))


ALL = pytest.mark.parametrize(
    "kinds", list(combinations()), ids=lambda k: "-".join(str(v) for v in k.values())
)


def built(**changes: Any) -> Transformer:
    return initialise(Transformer(model_config(**changes), VOCABULARY), seed=3).eval()


def tokens(count: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(VOCABULARY, (count, length), generator=torch.Generator().manual_seed(seed))


@ALL
def test_a_token_changes_no_logit_before_it_and_some_after(kinds: dict[str, Any]) -> None:
    model, x = built(**kinds), tokens(1, 16)
    before = model(x)
    for t in (1, 8, 15):
        changed = x.clone()
        changed[0, t] = (x[0, t] + 1) % VOCABULARY
        after = model(changed)
        assert torch.equal(before[:, :t], after[:, :t])
        assert not torch.equal(before[:, t:], after[:, t:])


@ALL
def test_reading_in_parts_through_the_cache_gives_the_same_logits(kinds: dict[str, Any]) -> None:
    model, x = built(**kinds), tokens(3, 16)
    cache = Cache(model.config, 3, model.embedding.weight)
    parts = [model(part, cache) for part in x.split([5, 3, 1, 1, 6], dim=1)]
    assert torch.allclose(torch.cat(parts, dim=1), model(x), atol=2e-5)


@ALL
def test_the_first_loss_is_that_of_guessing(kinds: dict[str, Any]) -> None:
    values = model_config(**kinds).model_dump()
    values["normal"] = values["normal"] | {"standard_deviation": 0.02, "embedding_standard_deviation": 0.02}
    model = initialise(Transformer(ModelConfig(**values), VOCABULARY), seed=3)
    x = tokens(32, 16)
    loss = torch.nn.functional.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
    assert abs(loss.item() - torch.tensor(VOCABULARY).log()) < 0.1


def test_one_batch_is_learned_by_heart() -> None:
    model, x = built().train(), tokens(4, 16)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(80):
        loss = torch.nn.functional.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss) < 0.05


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


def test_parameters_are_counted_by_part_and_a_tied_head_once() -> None:
    tied, untied = built(tie_embeddings=True), built(tie_embeddings=False)
    D, F, K, V = 32, 64, 8, VOCABULARY
    attention = 2 * (D * 4 * K + 2 * D * 2 * K + 4 * K * D)
    expected = {
        "embedding": V * D, "attention": attention, "feedforward": 2 * 2 * D * F, "norm": 5 * D + 2 * 2 * K,
        "head": 0,
    }  # fmt: skip
    counts = parameters(tied)
    assert {part: counts[part] for part in expected} == expected
    assert counts["total"] == sum(expected.values()) == sum(p.numel() for p in tied.parameters())
    assert parameters(untied)["total"] == counts["total"] + V * D
    assert flops_per_token(tied) == flops_per_token(untied)
