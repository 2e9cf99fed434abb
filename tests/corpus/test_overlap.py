"""Passages of a text that stand in another."""

import random

import numpy as np
import pytest

from reprolm.corpus import overlap
from reprolm.corpus.overlap import CHUNK_BYTES, PASSAGE_BYTES, overlaps, passage_hashes


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def test_equal_passages_have_equal_hashes_wherever_they_stand_and_others_have_not() -> None:
    passage = noise(PASSAGE_BYTES, 0)
    hashes = passage_hashes(noise(700, 1) + passage + noise(900, 2))
    (expected,) = passage_hashes(passage)
    assert np.flatnonzero(hashes == expected).tolist() == [700]
    assert len(np.unique(hashes)) == len(hashes)
    assert len(passage_hashes(passage[:-1])) == 0


def test_shares_are_those_that_were_planted() -> None:
    train = noise(3 * CHUNK_BYTES, 0)
    held = [
        noise(40_000, 1),
        train[CHUNK_BYTES - 20_000 : CHUNK_BYTES + 20_000],
        train[:20_000] + noise(20_000, 2),
    ]
    shares = overlaps(map(memoryview, held), memoryview(train), 120_000)
    assert shares == pytest.approx([0.0, 1.0, 0.5], abs=0.03)


def test_of_a_short_text_nothing_is_told() -> None:
    assert np.isnan(overlaps([memoryview(b"short")], memoryview(b"short" * 100), 5)).all()
    assert len(overlaps([], memoryview(b"x"), 0)) == 0


def test_shares_are_those_of_sets_whatever_the_parts_in_which_they_are_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train = noise(50_000, 0)
    held = [train[i * 400 : i * 400 + i * 50] + noise(900, i) for i in range(100)]
    known = {n for n in passage_hashes(train).tolist() if n % 16 == 0}
    sampled = [{n for n in passage_hashes(text).tolist() if n % 16 == 0} for text in held]
    monkeypatch.setattr(overlap, "AT_ONCE", 100)
    shares = overlaps(map(memoryview, held), memoryview(train), 1)
    assert shares.tolist() == [len(own & known) / len(own) for own in sampled]
