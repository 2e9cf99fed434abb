"""Text to words, which byte-pair merges never cross, and how often each word occurs."""

import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator

import regex

from reprolm import processes

PATTERNS = {
    "gpt2": r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""",
    "gpt4": (
        r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}"""
        r"""| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"""
    ),
}
"""Those of GPT-2 (Radford et al. 2019) and of GPT-4 (cl100k); every character falls into exactly one word."""
BATCH_CHARACTERS = 4 << 20
FEWEST_CHARACTERS = 16 << 20
"""Of less text, starting processes takes longer than counting."""


@functools.cache
def compiled(pattern: str) -> "regex.Pattern[str]":
    """The pattern of that name, ready for use."""
    return regex.compile(PATTERNS[pattern])


def _counted(batch: tuple[str, list[str]]) -> dict[str, int]:
    pattern, texts = batch
    words: Counter[str] = Counter()
    for text in texts:
        words.update(compiled(pattern).findall(text))
    return dict(words)


def _batches(pattern: str, texts: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= BATCH_CHARACTERS:
            yield pattern, batch
            batch, size = [], 0
    yield pattern, batch


def word_counts(pattern: str, texts: Iterable[str]) -> Counter[str]:
    """How often each word occurs, counted on all cores where there is much to count."""
    batches = _batches(pattern, texts)
    first = list(itertools.islice(batches, FEWEST_CHARACTERS // BATCH_CHARACTERS))
    words: Counter[str] = Counter()
    more = next(batches, None)
    if more is None or processes.cores() == 1:
        rest = itertools.chain([] if more is None else [more], batches)
        for batch in itertools.chain(first, rest):
            words.update(_counted(batch))
        return words
    for _, counts in processes.in_order(_counted, itertools.chain(first, [more], batches)):
        words.update(counts)
    return words
