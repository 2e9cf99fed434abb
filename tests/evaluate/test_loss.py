"""Scoring: each target exactly once, given what it should be given."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reprolm.data.shards import Tokens
from reprolm.data.windows import Laid
from reprolm.errors import ReprolmError
from reprolm.evaluate.loss import Cut, mean_loss, scored, summed_loss, window_starts
from reprolm.model.initialise import initialise
from reprolm.model.transformer import Transformer
from tests.data.settings import tokens_of
from tests.settings import model_config


class Echo(torch.nn.Module):
    """Writes into the logits what it was given, so that a target's loss tells which inputs it saw."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.vocabulary = vocabulary

    def forward(self, x: torch.Tensor, documents: object = None) -> torch.Tensor:
        return torch.nn.functional.one_hot(x, self.vocabulary) * 1.0


@given(st.integers(2, 60), st.integers(1, 20), st.integers(1, 20), st.integers(1, 7))
def test_every_target_is_scored_once_in_order(length: int, window: int, stride: int, batch: int) -> None:
    stride = min(stride, window)
    tokens = np.arange(length)
    parts = list(scored(Echo(length), tokens, window=window, stride=stride, batch_size=batch))
    assert np.concatenate([part.targets for part in parts]).tolist() == list(range(1, length))
    seen = np.concatenate([part.seen for part in parts])
    assert (seen[window:] >= window - stride + 1).all()
    assert (seen <= window).all()
    assert len(window_starts(length, window, stride)) == 1 + max(0, math.ceil((length - 1 - window) / stride))


def model() -> Transformer:
    return initialise(Transformer(model_config(), 30), seed=1)


TOKENS = np.random.default_rng(0).integers(0, 30, 203)


@pytest.mark.parametrize(("window", "stride"), [(16, 16), (16, 4), (10, 7), (16, 1)])
def test_the_loss_is_that_of_scoring_each_target_alone(window: int, stride: int) -> None:
    net = model().eval()
    parts = list(scored(net, TOKENS, window=window, stride=stride, batch_size=5))
    found = np.concatenate([part.nats for part in parts])
    seen = np.concatenate([part.seen for part in parts])
    for t in (1, 9, 50, 111, 202):
        given = torch.from_numpy(TOKENS[t - seen[t - 1] : t])[None]
        logits = net(given)[0, -1].double().log_softmax(-1)
        assert found[t - 1] == pytest.approx(-logits[TOKENS[t]].item(), abs=1e-5)


def test_the_size_of_a_batch_changes_nothing() -> None:
    losses = [mean_loss(model(), TOKENS, window=16, batch_size=size) for size in (1, 3, 64)]
    assert max(losses) - min(losses) < 1e-6


def test_scoring_leaves_the_model_in_its_mode_and_draws_no_dropout() -> None:
    net = initialise(Transformer(model_config(dropout=0.5), 30), seed=1).train()
    state = torch.random.get_rng_state()
    assert mean_loss(net, TOKENS, window=16, batch_size=4) == mean_loss(net, TOKENS, window=16, batch_size=4)
    assert net.training
    assert torch.equal(state, torch.random.get_rng_state())


def test_one_token_cannot_be_scored() -> None:
    with pytest.raises(ReprolmError, match="tokens: are too few"):
        mean_loss(model(), TOKENS[:1], window=16, batch_size=4)


def documents_of(tmp_path: Path) -> Tokens:
    """80 tokens in documents of 5, 30, 5 and 40."""
    return tokens_of(tmp_path, [(i * i) % 23 for i in range(80)], 23, ends=(5, 35, 40))


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_a_padded_model_is_judged_document_by_document(tmp_path: Path, batch: int) -> None:
    tokens = documents_of(tmp_path)
    model = initialise(Transformer(model_config(position="learned"), 23), seed=1).eval()
    parts = list(scored(model, tokens, window=16, stride=16, batch_size=batch, laid="padded"))
    at = np.concatenate([part.at for part in parts])
    nats = np.concatenate([part.nats for part in parts])
    assert sorted(at.tolist()) == sorted(set(range(80)) - {0, 5, 35, 40})
    for start, end in ((0, 5), (5, 21), (21, 35), (40, 56), (56, 72)):
        ids = torch.from_numpy(tokens[start : end + 1])[None]
        inside = (at > start) & (at <= min(end, {0: 4, 21: 34}.get(start, end)))
        expected = torch.nn.functional.cross_entropy(model(ids[:, :-1])[0], ids[0, 1:], reduction="none")
        order = at[inside].argsort()
        assert nats[inside][order] == pytest.approx(expected[: inside.sum()].detach().numpy(), abs=1e-5)


def test_an_isolated_model_is_judged_without_what_lies_before_the_document(tmp_path: Path) -> None:
    tokens = documents_of(tmp_path)
    model = initialise(Transformer(model_config(), 23), seed=1).eval()
    (alone,) = scored(model, tokens, window=16, stride=16, batch_size=64, laid="padded")
    isolated = list(scored(model, tokens, window=16, stride=16, batch_size=64, laid="isolated"))
    nats = {int(at): nat for part in isolated for at, nat in zip(part.at, part.nats, strict=True)}
    assert sorted(nats) == list(range(1, 80))
    for at, nat in zip(alone.at.tolist(), alone.nats, strict=True):
        if at < 16 or 35 < at < 40:  # where no border of a window lies between
            assert nats[at] == pytest.approx(nat, abs=1e-5)


@pytest.mark.parametrize("laid", ["packed", "isolated", "padded"])
@pytest.mark.parametrize("size", [2, 3, 5])
def test_processes_score_the_text_once_and_call_the_model_as_often(
    tmp_path: Path, laid: Laid, size: int
) -> None:
    net, tokens, calls = model(), documents_of(tmp_path), 0

    def called(*_: object) -> None:
        nonlocal calls
        calls += 1

    net.register_forward_hook(called)
    cut = Cut(tokens, 16, 16, 3, laid)
    found, often = [], set()
    for rank in range(size):
        calls = 0
        found.append(summed_loss(net, cut, rank=rank, size=size))
        often.add(calls)
    assert len(often) == 1
    total, count = (sum(part) for part in zip(*found, strict=True))
    assert total / count == pytest.approx(mean_loss(net, tokens, window=16, batch_size=3, laid=laid))
