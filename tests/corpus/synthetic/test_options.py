"""Choices between texts, written and read."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprolm.corpus.synthetic.options import ONE, End, Options, Reader, Writer
from reprolm.errors import Exit, ReprolmError

WEIGHTS = st.lists(st.floats(1e-12, 1e12), min_size=1, max_size=40)


@given(WEIGHTS)
def test_probabilities_are_whole_shares_of_two_to_the_32_and_none_is_zero(weights: list[float]) -> None:
    options = Options([f"{i:02}" for i in range(len(weights))], weights)
    assert options.cumulative[-1] == ONE
    whole = options.p * ONE
    assert (whole == np.rint(whole)).all()
    assert whole.min() >= 1
    assert options.p == pytest.approx(np.array(weights) / sum(weights), abs=len(weights) / ONE)


def test_what_is_possible_shrinks_byte_by_byte() -> None:
    options = Options(["cat", "car", "dog"], [1, 1, 2])
    assert options.nats(0) == pytest.approx([math.log(2), 0.0, math.log(2)])
    assert options.nats(1) == pytest.approx([math.log(2), 0.0, math.log(2)])
    assert options.nats(2) == pytest.approx([math.log(2), 0.0, 0.0])
    assert options.entropy == pytest.approx(1.5 * math.log(2))


def test_a_writer_draws_each_text_as_often_as_its_probability() -> None:
    options, writer = Options(list("abc"), [1, 2, 5]), Writer(3)
    drawn = np.bincount([writer.choose(options) for _ in range(20_000)], minlength=3) / 20_000
    assert drawn == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=4 * 0.5 / math.sqrt(20_000))


def test_a_reader_reads_what_was_written_and_stops_where_it_ends() -> None:
    options, writer = Options(["cat", "car", "dog"]), Writer(1)
    chosen = [writer.choose(options) for _ in range(20)]
    reader = Reader(writer.document())
    assert [reader.choose(options) for _ in range(20)] == chosen
    with pytest.raises(End):
        reader.choose(options)
    assert reader.nats() == pytest.approx(np.concatenate([options.nats(i) for i in chosen]))


def test_a_text_that_is_cut_off_is_scored_as_far_as_it_goes() -> None:
    reader = Reader(b"dogca")
    options = Options(["cat", "car", "dog"], [1, 1, 2])
    for _ in range(2):
        reader.choose(options)
    assert reader.nats() == pytest.approx([math.log(2), 0, 0, math.log(2), 0])


@pytest.mark.parametrize("text", [b"dogcab", b"dogx"])
def test_another_text_is_refused_with_its_offset(text: bytes) -> None:
    reader, options = Reader(text), Options(["cat", "car", "dog"])
    reader.choose(options)
    with pytest.raises(ReprolmError, match="its process cannot write, at offset 3") as caught:
        reader.choose(options)
    assert caught.value.exit is Exit.INTEGRITY


def test_a_text_that_goes_on_after_the_end_is_refused() -> None:
    reader = Reader(b"dogdog")
    reader.choose(Options(["cat", "dog"]))
    with pytest.raises(ReprolmError, match="cannot write, at offset 3"):
        reader.nats()
