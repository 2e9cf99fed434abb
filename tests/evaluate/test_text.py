"""Statistics of samples."""

import pytest

from reprolm.evaluate.text import samples_as_text, text_statistics


def test_repetition_and_variety_are_counted_in_words() -> None:
    numbers = text_statistics(["a b c d a b c d a", "x y"])
    assert numbers["words"] == 11
    assert numbers["distinct_1"] == pytest.approx(6 / 11)
    assert numbers["distinct_2"] == pytest.approx(5 / 9)
    assert numbers["rep_4"] == pytest.approx(1 - 4 / 6)


def test_empty_samples_have_statistics_too() -> None:
    assert text_statistics([""]) == {
        "characters": 0,
        "words": 0,
        "distinct_1": 0.0,
        "distinct_2": 0.0,
        "rep_4": 0.0,
    }


def test_samples_are_shown_with_their_prompts() -> None:
    assert samples_as_text([{"prompt": "Once", "text": " more", "draw": 0}]) == "=== draw 0\nOnce more\n"
