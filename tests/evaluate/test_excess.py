"""The excess of a model over the entropy of its corpus, and a leak."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reprolm.corpus.build import build
from reprolm.corpus.read import open_corpus
from reprolm.errors import Exit, ReprolmError
from reprolm.evaluate.excess import Excess, oracle
from reprolm.evaluate.loss import Scored
from tests.corpus.test_build import STORIES, config, written


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synthetic")
    data = config(source="synthetic", synthetic={"kind": "markov", "documents": 300, "length": 100})
    build(data, path / "corpus", path)
    return path / "corpus"


def parts(nats: "np.ndarray[Any, Any]", window: int) -> list[Scored]:
    """Targets from the second byte on, one byte each, in windows."""
    targets = np.arange(1, len(nats))
    return [
        Scored(targets[i : i + window] * 0, nats[targets[i : i + window]], targets[i : i + window] * 0,
               np.zeros(len(targets[i : i + window]), dtype=np.int64), targets[i : i + window])
        for i in range(0, len(targets), window)
    ]  # fmt: skip


def judged(known: "np.ndarray[Any, Any]", nats: "np.ndarray[Any, Any]") -> dict[str, float]:
    excess = Excess(np.ones(len(known), dtype=np.int64), known)
    for part in parts(nats, 50):
        excess.add(part)
    return excess.summary()


def test_the_oracle_itself_has_no_excess(corpus: Path) -> None:
    split = open_corpus(corpus)["validation"]
    known = oracle(corpus, split)
    assert known is not None
    assert len(known) == split.bytes
    result = judged(known, known)
    assert result["nats"] == pytest.approx(0.0, abs=1e-12)
    assert result["floor_nats"] == pytest.approx(known[1:].mean())


def test_a_model_above_the_floor_is_told_by_how_much(corpus: Path) -> None:
    known = oracle(corpus, open_corpus(corpus)["validation"])
    assert known is not None
    noise = np.random.default_rng(0).normal(0.25, 0.5, len(known))
    result = judged(known, known + noise)
    assert result["nats"] == pytest.approx(0.25, abs=4 * result["standard_error"])
    assert result["bits_per_byte"] == pytest.approx(result["nats"] / np.log(2), rel=0.01)


def test_a_model_below_the_floor_has_seen_what_it_should_predict(corpus: Path) -> None:
    known = oracle(corpus, open_corpus(corpus)["validation"])
    assert known is not None
    with pytest.raises(
        ReprolmError, match=r"evaluate: the model is better than the process .*floor"
    ) as caught:
        judged(known, 0.9 * known)
    assert caught.value.exit is Exit.INTEGRITY


def test_tokens_of_several_bytes_and_special_ones_are_compared_with_their_own_text() -> None:
    known = np.array([0.5, 1.0, 2.0, 4.0, 8.0])
    token_bytes = np.array([1, 2, 0])  # of the ids 0, 1, 2; the last ends documents
    targets = np.array([1, 2, 1])  # the first token, of one byte, is not scored
    nats = np.array([3.5, 100.0, 12.0])
    excess = Excess(token_bytes[np.array([0, *targets])], known)
    excess.add(Scored(targets, nats, targets, np.array([0, 0, 1]), np.array([1, 2, 3])))
    result = excess.summary()
    assert result["floor_nats"] == pytest.approx((1.0 + 2.0 + 4.0 + 8.0) / 2)
    assert result["nats"] == pytest.approx(((3.5 - 3.0) + (12.0 - 12.0)) / 2)


def test_of_other_text_no_floor_is_known(tmp_path: Path) -> None:
    folder = written(tmp_path / "t", STORIES)
    build(config(source="files", files={"path": str(folder)}), tmp_path / "corpus", tmp_path)
    assert oracle(tmp_path / "corpus", open_corpus(tmp_path / "corpus")["test"]) is None
