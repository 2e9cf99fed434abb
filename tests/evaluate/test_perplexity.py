"""Bits per byte and the reference lines."""

import gzip
import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from reprolm.config import section
from reprolm.data.shards import Tokens
from reprolm.errors import Exit, ReprolmError
from reprolm.evaluate.config import EvaluateConfig
from reprolm.evaluate.perplexity import Judged, evaluate, judge, references
from reprolm.evaluate.references import Bigram
from reprolm.model.initialise import initialise
from reprolm.model.transformer import Transformer
from tests.settings import model_config, raw
from tests.tokens import VOCABULARY, patterned, write_tokens

CONFIG = section({"evaluate": raw("evaluate", stride=4, batch_size=8)}, "evaluate", EvaluateConfig)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("evaluate") / "tokens"
    return write_tokens(directory, train=patterned(5000), validation=patterned(700, seed=1))


def test_a_uniform_model_costs_log2_of_the_vocabulary_a_token(tokens: Path) -> None:
    model = initialise(Transformer(model_config(), VOCABULARY), seed=1).eval()
    torch.nn.init.zeros_(model.head.weight)
    split = Tokens(tokens, "validation")
    total, _ = judge(model, split, CONFIG, stride=16)
    targets = split[1 : len(split)]
    text = targets[targets != VOCABULARY - 1]
    assert total.targets == len(split) - 1
    assert total.text_bytes == (text + 1).sum()
    assert total.bits_per_byte == pytest.approx(math.log2(VOCABULARY) * len(text) / (text + 1).sum())
    assert total.summary()["perplexity"] == pytest.approx(VOCABULARY)
    uniform = references(Tokens(tokens, "train"), split, b"text")["uniform"]
    assert uniform == pytest.approx(total.bits_per_byte)


def test_a_perplexity_that_no_number_holds_is_none_and_a_loss_that_is_none_is_refused(tokens: Path) -> None:
    model = initialise(Transformer(model_config(), VOCABULARY), seed=1).eval()
    split = Tokens(tokens, "validation")
    with torch.no_grad():
        model.head.weight.mul_(1e6)
    summary = judge(model, split, CONFIG, stride=16)[0].summary()
    assert summary["loss"] > 1000  # type: ignore[operator]
    assert summary["perplexity"] is None
    with torch.no_grad():
        model.head.weight[0, 0] = math.nan
    with pytest.raises(ReprolmError, match="models/model: gives text a loss that is not finite") as caught:
        judge(model, split, CONFIG, stride=16)
    assert caught.value.exit is Exit.DIVERGED


def test_the_bigram_is_a_distribution_and_counts_what_was_seen(tokens: Path) -> None:
    training = Tokens(tokens, "train")
    bigram = Bigram(training)
    everything = np.arange(VOCABULARY)
    for before in (0, 5, VOCABULARY - 1):
        p = np.exp(-bigram.nats(np.full(VOCABULARY, before), everything))
        assert p.sum() == pytest.approx(1.0)
    ids = training[0 : len(training)].tolist()
    pairs, firsts = Counter(itertools.pairwise(ids)), Counter(ids[:-1])
    successors = len({b for a, b in pairs if a == 5})
    unigram = (Counter(ids)[6] + 1) / (len(ids) + VOCABULARY)
    expected = (pairs[5, 6] - 0.75) / firsts[5] + 0.75 * successors / firsts[5] * unigram
    assert math.exp(-bigram.nats(np.array([5]), np.array([6]))[0]) == pytest.approx(expected)
    assert math.exp(-bigram.unigram_nats(np.array([6]))[0]) == pytest.approx(unigram)


def test_the_bigram_beats_the_unigram_on_a_pattern_and_chunks_change_nothing(
    tokens: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, split = Tokens(tokens, "train"), Tokens(tokens, "validation")
    text = b"the text of the split"
    lines = references(training, split, text)
    assert lines["bigram"] < 0.5 * lines["unigram"]
    assert lines["gzip"] == 8 * len(gzip.compress(text, 9, mtime=0)) / len(text)
    monkeypatch.setattr("reprolm.evaluate.references.CHUNK_TOKENS", 300)
    assert references(training, split, text) == pytest.approx(lines)


def test_sliding_windows_and_positions_are_in_the_numbers(tokens: Path) -> None:
    model = initialise(Transformer(model_config(), VOCABULARY), seed=1).eval()
    training, split = Tokens(tokens, "train"), Tokens(tokens, "validation")
    metrics, by_position = evaluate(model, training, split, Judged(b"text"), CONFIG)
    assert metrics["sliding"]["stride"] == 4
    assert metrics["perplexity"] == pytest.approx(math.exp(metrics["loss"]))
    assert metrics["bits_per_byte_all"] > metrics["bits_per_byte"]
    rows = [line.split(",") for line in by_position.csv().splitlines()[1:]]
    assert [int(row[0]) for row in rows] == [1, 2, 4, 8, 16]
    counts = [16 // 16, 2, 4, 8, 1]
    mean = sum(c * float(row[1]) for c, row in zip(counts, rows, strict=True)) / 16
    assert mean == pytest.approx(metrics["loss"], rel=0.02)
