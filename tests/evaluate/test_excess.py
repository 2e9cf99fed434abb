"""The excess of a model over the entropy of its corpus, and a leak."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from reprolm.config import section
from reprolm.corpus.build import build
from reprolm.corpus.read import open_corpus
from reprolm.data.config import EncodeConfig
from reprolm.data.encode import encode
from reprolm.data.shards import Tokens
from reprolm.errors import Exit, ReprolmError
from reprolm.evaluate.config import EvaluateConfig
from reprolm.evaluate.excess import Excess, oracle
from reprolm.evaluate.loss import Scored
from reprolm.evaluate.perplexity import Judged, evaluate
from reprolm.tokenizers.train import train
from tests.corpus.test_build import STORIES, config, written
from tests.settings import raw
from tests.tokenizers.settings import tokenizer_config

WINDOW, DISTANCE, SYMBOLS = 16, 24, 8
Nats = "np.ndarray[Any, np.dtype[np.float64]]"
CONFIG = section({"evaluate": raw("evaluate", stride=WINDOW)}, "evaluate", EvaluateConfig)


@dataclass
class Known:
    """An oracle that was told."""

    nats: Nats

    def within(self, start: int, end: int) -> None:
        return None


def judged(known: Nats, nats: Nats, window: int = 50) -> dict[str, float | None]:
    """The second byte and those after it, a token each, in windows."""
    excess = Excess(np.ones(len(known), dtype=np.int64), Known(known))
    at = np.arange(1, len(nats))
    for i in range(0, len(at), window):
        part = at[i : i + window]
        excess.add(Scored(part * 0, nats[part], np.arange(len(part)) + 1, part * 0, part))
    return excess.summary()


@pytest.fixture(scope="module")
def known() -> Nats:
    return np.random.default_rng(1).exponential(1.5, 3000)


def test_the_oracle_itself_has_no_excess(known: Nats) -> None:
    result = judged(known, known)
    assert [result["nats"], result["standard_error"]] == pytest.approx([0, 0], abs=1e-12)
    assert result["floor_nats"] == pytest.approx(known[1:].mean())


def test_a_model_above_the_floor_is_told_by_how_much(known: Nats) -> None:
    result = judged(known, known + np.random.default_rng(0).normal(0.25, 0.5, len(known)))
    assert result["standard_error"] == pytest.approx(0.5 / math.sqrt(len(known)), rel=0.3)
    assert result["nats"] == pytest.approx(0.25, abs=4 * 0.5 / math.sqrt(len(known)))
    assert result["bits_per_byte"] == pytest.approx(result["nats"] / math.log(2))


@pytest.mark.parametrize("window", [50, 5000])
def test_a_model_below_the_floor_has_seen_what_it_should_predict(known: Nats, window: int) -> None:
    """Also in a single window, which has no standard error."""
    with pytest.raises(
        ReprolmError, match=r"evaluate: the model is better than the process .*floor"
    ) as caught:
        judged(known, 0.9 * known, window)
    assert caught.value.exit is Exit.INTEGRITY


def test_a_model_that_had_luck_is_no_leak() -> None:
    """Of a surprise that comes once in 10,000, a text without any seems to prove one who never expects it."""
    known = np.full(3000, 1e-4)
    result = judged(known, np.zeros(3000))
    assert result["nats"] == pytest.approx(-1e-4)
    assert result["standard_error"] == pytest.approx(0.0, abs=1e-6)


def test_a_single_window_has_no_standard_error(known: Nats) -> None:
    assert judged(known, known + 0.1, window=5000)["standard_error"] is None


def test_tokens_of_several_bytes_and_special_ones_are_compared_with_their_own_text() -> None:
    known = np.array([0.5, 1.0, 2.0, 4.0, 8.0])
    token_bytes = np.array([1, 2, 0])  # of the ids 0, 1, 2; the last ends documents
    targets = np.array([1, 2, 1])  # the first token, of one byte, is not scored
    nats = np.array([3.5, 100.0, 12.0])
    excess = Excess(token_bytes[np.array([0, *targets])], Known(known))
    excess.add(Scored(targets, nats, np.array([1, 2, 1]), np.array([0, 0, 1]), np.array([1, 2, 3])))
    result = excess.summary()
    assert result["floor_nats"] == pytest.approx((1.0 + 2.0 + 4.0 + 8.0) / 2)
    assert result["nats"] == pytest.approx(((3.5 - 3.0) + (12.0 - 12.0)) / 2)
    assert result["bits_per_byte"] == pytest.approx(0.5 / 4 / math.log(2))
    assert result["floor_bits_per_byte"] == pytest.approx(15.0 / 4 / math.log(2))


def test_tokens_that_do_not_stand_for_the_whole_text_are_refused() -> None:
    with pytest.raises(ReprolmError, match=r"got 2 bytes; want 3; tokenizer\.character\.unknown") as caught:
        Excess(np.array([1, 0, 1]), Known(np.ones(3)))
    assert caught.value.exit is Exit.DATA


def test_of_other_text_no_floor_is_known(tmp_path: Path) -> None:
    folder = written(tmp_path / "t", STORIES)
    build(config(source="files", files={"path": str(folder)}), tmp_path / "corpus", tmp_path)
    assert oracle(tmp_path / "corpus", open_corpus(tmp_path / "corpus")["test"]) is None


class Model(nn.Module):
    """Gives what a function of the tokens gives."""

    def __init__(self, logits: Any) -> None:
        super().__init__()
        self.logits = logits
        self.anchor = nn.Parameter(torch.zeros(1))
        self.config = type("Config", (), {"context_length": WINDOW})

    def forward(self, tokens: Tensor, documents: Tensor | None = None) -> Tensor:
        result: Tensor = self.logits(one_hot(tokens, SYMBOLS + 1).double())
        return result


def uniform(tokens: Tensor) -> Tensor:
    return torch.zeros_like(tokens)


def without_a_mask(tokens: Tensor) -> Tensor:
    """The next token is among the inputs of all windows; only what follows the last one is not seen."""
    return torch.cat([8 * tokens[:, 1:], torch.zeros_like(tokens[:, :1])], dim=1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synthetic")
    delay = {"distance": DISTANCE, "n_symbols": SYMBOLS, "noise": 0.1}
    synthetic = {"kind": "delay", "documents": 60, "length": 200, "delay": delay}
    build(config(source="synthetic", split={"validation": 0.2, "train": 0.76}, synthetic=synthetic),
          path / "corpus", path)  # fmt: skip
    train(tokenizer_config(kind="character"), path / "corpus", path / "tokenizer")
    shards = section({"encode": raw("encode")}, "encode", EncodeConfig)
    encode(shards, path / "corpus", path / "tokenizer", path / "tokens")
    return path


def evaluated(place: Path, logits: Any) -> dict[str, Any]:
    split = open_corpus(place / "corpus")["validation"]
    text = Judged(bytes(split.content()), oracle=oracle(place / "corpus", split))
    training, tokens = (Tokens(place / "tokens", name) for name in ("train", "validation"))
    model: Any = Model(logits)
    return evaluate(model, training, tokens, text, CONFIG)[0]


def test_the_oracle_scores_the_text_and_who_sees_too_little_of_it(place: Path) -> None:
    """Windows are shorter than the distance: in them, every symbol is as likely as any other."""
    metrics = evaluated(place, uniform)
    excess = metrics["excess"]
    right, wrong = 0.9 + 0.1 / SYMBOLS, 0.1 / SYMBOLS
    later = -right * math.log(right) - (SYMBOLS - 1) * wrong * math.log(wrong)
    expected = (DISTANCE * math.log(SYMBOLS) + (200 - DISTANCE) * later) / 200
    assert excess["floor_nats"] == pytest.approx(expected, rel=0.05)
    assert excess["in_window_floor_nats"] == pytest.approx(math.log(SYMBOLS), rel=1e-6)
    assert excess["in_window_nats"] == pytest.approx(math.log((SYMBOLS + 1) / SYMBOLS))
    assert excess["in_window_standard_error"] < excess["standard_error"] / 5
    assert excess["nats"] == pytest.approx(math.log(SYMBOLS + 1) - excess["floor_nats"])
    assert metrics["references"]["floor"] == pytest.approx(metrics["bits_per_byte"] - excess["bits_per_byte"])


def test_a_model_without_a_causal_mask_fails_loudly(place: Path) -> None:
    with pytest.raises(ReprolmError, match="it sees what it predicts") as caught:
        evaluated(place, without_a_mask)
    assert caught.value.exit is Exit.INTEGRITY
