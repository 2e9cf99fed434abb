"""What a vocabulary is like."""

import numpy as np
import pytest

from reprolm.tokenizers.account import by_script, entries, ranks
from reprolm.tokenizers.load import KINDS
from tests.tokenizers.settings import tokenizer_config

TEXT = "the cat and the dog " * 300 + "кот и пёс " * 20


def test_the_longest_and_the_most_frequent_entries_are_listed() -> None:
    tokenizer = KINDS["bytepair"].train([TEXT], tokenizer_config(kind="bytepair", vocab_size=270))
    counts = np.bincount(tokenizer.encode(TEXT), minlength=270)
    listed = entries(tokenizer, counts)
    assert listed["most_frequent"][0] == [tokenizer.decode([int(counts.argmax())]), int(counts.max())]
    assert len(listed["longest"][0].encode()) == tokenizer.token_bytes.max()


def test_ranks_fall_from_the_most_frequent_entry_to_the_rarest() -> None:
    header, *rows = ranks(np.array([3, 0, 50, 7])).splitlines()
    assert header == "rank,count"
    assert rows == ["1,50", "2,7", "3,3"]
    assert ranks(np.zeros(4, dtype=np.int64)) == "rank,count\n"


def test_the_script_that_was_learned_is_served_best() -> None:
    tokenizer = KINDS["bytepair"].train(
        ["the cat and the dog " * 300], tokenizer_config(kind="bytepair", vocab_size=265)
    )
    rates = by_script(tokenizer, [TEXT, "αβγ " * 9, "кот " * 200])
    assert list(rates) == ["Cyrillic", "Latin"]  # of Greek there is too little
    assert rates["Cyrillic"] == pytest.approx(1.0)
    assert rates["Latin"] > 2


def test_text_without_a_space_needs_none_in_its_vocabulary() -> None:
    text = "abba" * 300
    tokenizer = KINDS["character"].train([text], tokenizer_config(kind="character"))
    assert by_script(tokenizer, [text]) == {"Latin": 1.0}
