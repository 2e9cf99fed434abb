"""Drawing tokens, against the filters of transformers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reprolm.generate.decode import continued
from reprolm.generate.sampling import draw, probabilities
from reprolm.model.initialise import initialise
from reprolm.model.transformer import Transformer
from tests.settings import model_config, sample_config

transformers = pytest.importorskip("transformers")


def logits(rows: int = 5, width: int = 40, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(rows, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("top_k", [None, 1, 7])
@pytest.mark.parametrize("top_p", [None, 0.3, 0.9])
def test_probabilities_are_those_of_transformers(
    temperature: float, top_k: int | None, top_p: float | None
) -> None:
    warpers = [transformers.TemperatureLogitsWarper(temperature)]
    warpers += [transformers.TopKLogitsWarper(top_k)] if top_k else []
    warpers += [transformers.TopPLogitsWarper(top_p)] if top_p else []
    foreign = logits()
    for warper in warpers:
        foreign = warper(None, foreign)
    ours = probabilities(logits(), sample_config(temperature=temperature, top_k=top_k, top_p=top_p))
    assert torch.allclose(ours, foreign.softmax(-1), atol=1e-9)


def test_temperature_zero_is_the_argmax() -> None:
    p = probabilities(logits(), sample_config(temperature=0.0))
    assert torch.equal(p.argmax(-1), logits().argmax(-1))
    assert torch.equal(p.max(-1).values, torch.ones(5, dtype=torch.float64))


@given(st.integers(0, 10**6), st.floats(0, 1, exclude_max=True))
def test_a_token_of_probability_zero_is_never_drawn(seed: int, uniform: float) -> None:
    p = probabilities(logits(1, seed=seed), sample_config(top_k=3))
    assert p[0, draw(p, torch.tensor([uniform], dtype=torch.float64))] > 0


def test_draws_follow_the_probabilities() -> None:
    p = torch.tensor([[0.1, 0.0, 0.6, 0.3, 0.0]], dtype=torch.float64)
    uniform = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    counts = torch.bincount(draw(p.expand(1000, -1), uniform), minlength=5)
    assert counts.tolist() == [100, 0, 600, 300, 0]


def model() -> Transformer:
    return initialise(Transformer(model_config(), 30), seed=1).eval()


def test_greedy_text_is_what_reading_everything_anew_gives() -> None:
    prompt = torch.tensor([3, 1, 4])
    written = continued(model(), prompt, sample_config(temperature=0.0, draws=1, max_new_tokens=10), 1)[0]
    rows = prompt[None]
    for token in written:
        assert token == model()(rows)[0, -1].argmax().item()
        rows = torch.cat([rows, torch.tensor([[token]])], dim=1)


def test_a_draw_depends_on_seed_and_prompt_and_not_on_its_neighbours() -> None:
    prompt = torch.tensor([3, 1, 4])
    alone = continued(model(), prompt, sample_config(draws=1), 1)
    assert continued(model(), prompt, sample_config(draws=3), 1)[:1] == alone
    assert continued(model(), prompt, sample_config(draws=1), 2) != alone


def test_text_goes_on_past_the_context() -> None:
    written = continued(model(), torch.tensor([3]), sample_config(max_new_tokens=50, draws=1), 1)
    assert len(written[0]) == 50


def test_a_prompt_longer_than_the_context_is_read_from_its_end() -> None:
    long = torch.arange(40) % 30
    settings = sample_config(draws=1, max_new_tokens=1, temperature=0.0)
    assert continued(model(), long, settings, 1) == [[int(model()(long[None, -16:])[0, -1].argmax())]]


def test_a_draw_ends_before_the_end_of_a_document() -> None:
    settings = sample_config(max_new_tokens=60, draws=1, temperature=1.0)
    whole = continued(model(), torch.tensor([3]), settings, 1)[0]
    end = whole[20]
    assert continued(model(), torch.tensor([3]), settings, 1, end) == [whole[: whole.index(end)]]


def test_dropout_while_writing_changes_the_text_and_can_be_repeated() -> None:
    dropping = initialise(Transformer(model_config(dropout=0.5), 30), seed=1).eval()
    settings = {"draws": 1, "temperature": 0.0, "max_new_tokens": 12}
    active = [
        continued(dropping, torch.tensor([3, 1, 4]), sample_config(dropout_active=on, **settings), 1)
        for on in (False, True, True)
    ]
    assert active[0] != active[1] == active[2]
    assert not dropping.training
