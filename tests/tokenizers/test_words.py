"""Text to words: as `regex`, `tokenizers` and `tiktoken` find them, and counted whatever the order."""

import random
from collections import Counter

import pytest
import regex
import tiktoken
import tiktoken_ext.openai_public as originals  # type: ignore[import-untyped]
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from reprolm.tokenizers import words as module
from reprolm.tokenizers.words import PATTERNS, splitter, word_counts

NAMES = pytest.mark.parametrize("pattern", PATTERNS)
# where one package knows letters of a newer Unicode, the others need not
ASSIGNED = st.characters(exclude_categories=["Cn", "Cs"])
TEXTS = (
    st.text(ASSIGNED)
    | st.text(st.characters(codec="ascii"))
    | st.text(st.sampled_from("''sſSdDlLveRE aé\u0301日19½ \n\r\t\x1c\x85\u00a0\u3000.-_🙂\ufeff\0"))
)
ORIGINAL = {
    "gpt2": originals.r50k_pat_str,
    "gpt4": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
}
"""As `tiktoken` 0.14 writes them; that of GPT-4 stands inside a function there that downloads."""


@NAMES
@given(TEXTS)
def test_words_are_the_text_and_those_of_the_pattern(pattern: str, text: str) -> None:
    words = splitter(pattern)(text)
    assert "".join(words) == text
    assert words == regex.findall(PATTERNS[pattern], text)


@NAMES
@given(TEXTS)
def test_the_library_finds_the_same_words(pattern: str, text: str) -> None:
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(PATTERNS[pattern]), "isolated")
    assert [word for word, _ in split.pre_tokenize_str(text)] == splitter(pattern)(text)


@NAMES
@given(TEXTS)
def test_the_original_pattern_finds_the_same_words(pattern: str, text: str) -> None:
    words = [word.encode() for word in splitter(pattern)(text)]
    # where each run of words is an entry, a token is a word, whether it is one of ours or not
    runs = {b"".join(words[i:j]) for i in range(len(words)) for j in range(i, len(words) + 1)}
    entries = [bytes([byte]) for byte in range(256)] + sorted(run for run in runs if len(run) > 1)
    ranks = {entry: rank for rank, entry in enumerate(entries)}
    theirs = tiktoken.Encoding("words", pat_str=ORIGINAL[pattern], mergeable_ranks=ranks, special_tokens={})
    assert [entries[i] for i in theirs.encode_ordinary(text)] == words


@NAMES
def test_neither_order_nor_processes_change_the_counts(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"word{i % 7} and  more{i}\n" for i in range(500)]
    alone = word_counts(pattern, texts)
    assert alone == Counter(word for text in texts for word in regex.findall(PATTERNS[pattern], text))
    monkeypatch.setattr(module, "BATCH_CHARACTERS", 1000)
    monkeypatch.setattr(module, "FEWEST_CHARACTERS", 1000)
    random.Random(1).shuffle(texts)
    assert word_counts(pattern, texts) == alone
