"""Copying, recall and brackets against their definitions."""

import math

import pytest

from reprolm.corpus.synthetic.process import Process
from reprolm.corpus.synthetic.source import process
from tests.corpus.synthetic.settings import config

PAIRS = dict(zip(")]}>", "([{<", strict=True))


def agrees(known: Process, document: bytes, p: list[float]) -> bool:
    return known.nats(document) == pytest.approx([-math.log(x) for x in p], rel=1e-6, abs=1e-12)


def test_the_second_half_of_a_copy_is_certain() -> None:
    known = process(config("copying", copying={"length": 5, "gap": 3, "n_symbols": 10}))
    document = known.document(1)
    assert document[:5] == document[-5:]
    assert document[5:9] == b"...|"
    assert agrees(known, document, [1 / 10] * 5 + [1.0] * 9)


def test_a_value_that_was_told_can_be_recalled() -> None:
    known = process(
        config("recall", recall={"n_pairs": 3, "n_queries": 4, "n_keys": 5, "n_values": 2})
    )  # fmt: skip
    document = known.document(2)
    pairs, _, queries = document.decode().partition("|")
    told = dict(zip(pairs[::2], pairs[1::2], strict=True))
    assert len(told) == 3
    assert all(told[key] == value for key, value in zip(queries[::2], queries[1::2], strict=True))
    assert agrees(known, document, [1 / 5, 1 / 2, 1 / 4, 1 / 2, 1 / 3, 1 / 2, 1.0] + [1 / 3, 1.0] * 4)


def test_brackets_match_to_the_greatest_depth() -> None:
    known = process(config("dyck", length=200, dyck={"types": 3, "depth": 4, "opening": 0.6}))
    document = known.document(3)
    expected, waiting, deepest = [], [], 0
    for character in document.decode():
        opens = character not in PAIRS
        if not waiting:
            expected.append(1 / 3)
        elif len(waiting) == 4:
            expected.append(1.0)
        else:
            expected.append(0.6 / 3 if opens else 0.4)
        if opens:
            waiting.append(character)
        else:
            assert waiting.pop() == PAIRS[character]
        deepest = max(deepest, len(waiting))
    assert deepest == 4
    assert agrees(known, document, expected)
