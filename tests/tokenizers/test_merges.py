"""Learning and applying merges, against a naive reference and against libraries."""

import itertools
import json
from collections import Counter

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from reprolm.tokenizers import merges as module
from reprolm.tokenizers.apply import Merges
from reprolm.tokenizers.bytelevel import BYTES, byte_characters
from reprolm.tokenizers.merges import learn
from reprolm.tokenizers.words import PATTERNS, word_counts

ID = {byte: number for number, byte in enumerate(BYTES)}


def merged(ids: list[int], pair: tuple[int, int], new: int) -> list[int]:
    """A word with a pair joined, from the left."""
    result: list[int] = []
    for number in ids:
        if result and (result[-1], number) == pair and result[-1] != new:
            result[-1] = new
        else:
            result.append(number)
    return result


def naive(words: dict[bytes, int], count: int, least: int) -> list[tuple[int, int]]:
    """Counts all pairs anew for every merge."""
    texts = [([ID[byte] for byte in word], weight) for word, weight in words.items()]
    merges: list[tuple[int, int]] = []
    while len(merges) < count:
        pairs: Counter[tuple[int, int]] = Counter()
        for ids, weight in texts:
            for pair in itertools.pairwise(ids):
                pairs[pair] += weight
        best = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)
        if best is None or pairs[best] < least:
            break
        merges.append(best)
        texts = [(merged(ids, best, 255 + len(merges)), weight) for ids, weight in texts]
    return merges


WORDS = st.dictionaries(st.binary(min_size=1, max_size=14), st.integers(1, 9), min_size=1, max_size=25)
FEW_LETTERS = st.dictionaries(
    st.text("ab", min_size=1, max_size=20).map(str.encode), st.integers(1, 9), min_size=1
)


@settings(max_examples=150)
@given(st.one_of(WORDS, FEW_LETTERS), st.integers(0, 40), st.integers(1, 3))
def test_merges_are_those_of_counting_everything_anew(
    words: dict[bytes, int], count: int, least: int
) -> None:
    expected, few = naive(words, count, least), module.FEW
    for module.FEW in (0, few):
        assert learn(words, count, least) == expected


def test_ties_go_to_the_smaller_ids() -> None:
    assert learn({b"xy": 3, b"ab": 3}, 1) == [(ID[ord("a")], ID[ord("b")])]


def library_merges(texts: list[str], vocab_size: int, pattern: str) -> list[list[str]]:
    """Those of `tokenizers` on the same words."""
    inner = tokenizers.Tokenizer(tokenizers.models.BPE())
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(PATTERNS[pattern]), "isolated")
    level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([split, level])
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size, min_frequency=2, initial_alphabet=level.alphabet(), show_progress=False
    )
    inner.train_from_iterator(texts, trainer)
    found: list[list[str]] = json.loads(inner.to_str())["model"]["merges"]
    return found


@pytest.mark.parametrize("pattern", PATTERNS)
def test_on_real_text_they_are_those_of_the_library(pattern: str) -> None:
    import argparse
    import inspect

    texts = [inspect.getsource(module) for module in (argparse, inspect, json)]
    counts = word_counts(pattern, texts)
    names, ours = list(byte_characters()), []
    for a, b in learn({word.encode(): counts[word] for word in sorted(counts)}, 1200, 2):
        ours.append([names[a], names[b]])
        names.append(names[a] + names[b])
    assert ours == library_merges(texts, 256 + 1200, pattern)


MERGES = learn({b"abcabcab": 5, b"cab aab": 4, b"aaaa": 3}, 12)


@given(st.text("abc ", max_size=300).map(str.encode))
def test_short_and_long_words_are_merged_in_the_order_of_learning(word: bytes) -> None:
    ids = [ID[byte] for byte in word]
    for number, pair in enumerate(MERGES):
        ids = merged(ids, pair, 256 + number)
    assert Merges(MERGES)._short(word) == ids
    assert Merges(MERGES)._long(word) == ids
