"""Text to words, which byte-pair merges never cross, and how often each word occurs."""

import functools
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable

import regex

from reprolm import processes

PATTERNS = {
    "gpt2": r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""",
    "gpt4": (
        r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}"""
        r"""| ?[^\s\p{L}\p{N}]++[\r\n]*|\s++(?!\S)|\s*[\r\n]|\s+(?!\S)|\s+"""
    ),
}
"""Those of GPT-2 (Radford et al. 2019) and of GPT-4 (cl100k); every character falls into exactly one word.

`\\s++(?!\\S)` is the white space that ends a text: the packages do not agree on what `$` means.
"""
BATCH_CHARACTERS = 4 << 20
FEWEST_CHARACTERS = 16 << 20
"""Of less text, starting processes takes longer than counting."""


@functools.cache
def splitter(pattern: str) -> Callable[[str], list[str]]:
    """The function that divides a text into the words of a pattern, which together are the text.

    `re` knows no Unicode classes but takes half the time of `regex`: it serves the texts in ASCII.
    """
    everywhere = regex.compile(PATTERNS[pattern]).findall
    plain = re.compile(_ascii(PATTERNS[pattern]), re.ASCII).findall
    return lambda text: plain(text) if text.isascii() else everywhere(text)


def _ascii(pattern: str) -> str:
    r"""A pattern with the letters and digits of ASCII for those of Unicode.

    >>> print(_ascii(r" ?\p{L}+| ?[^\s\p{L}\p{N}]+"))
     ?[A-Za-z]+| ?[^\sA-Za-z0-9]+
    """
    parts = re.split(r"(\[[^\]]*\])", pattern)
    for name, members in ((r"\p{L}", "A-Za-z"), (r"\p{N}", "0-9")):
        parts[::2] = [part.replace(name, f"[{members}]") for part in parts[::2]]
        parts[1::2] = [part.replace(name, members) for part in parts[1::2]]
    return "".join(parts)


def _counted(pattern: str, texts: list[str]) -> dict[str, int]:
    words: Counter[str] = Counter()
    split = splitter(pattern)
    for text in texts:
        words.update(split(text))
    return dict(words)


def word_counts(pattern: str, texts: Iterable[str]) -> Counter[str]:
    """How often each word occurs, counted on all cores where there is much to count."""
    counted = functools.partial(_counted, pattern)
    batches = processes.batches(texts, BATCH_CHARACTERS)
    first = list(itertools.islice(batches, FEWEST_CHARACTERS // BATCH_CHARACTERS))
    words: Counter[str] = Counter()
    more = next(batches, None)
    if more is None or processes.cores() == 1:
        rest = itertools.chain([] if more is None else [more], batches)
        for batch in itertools.chain(first, rest):
            words.update(counted(batch))
        return words
    for _, counts in processes.in_order(counted, itertools.chain(first, [more], batches)):
        words.update(counts)
    return words
