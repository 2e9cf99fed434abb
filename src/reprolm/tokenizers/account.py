"""What a vocabulary is like: its longest and most frequent entries, how often each rank occurs, scripts."""

import csv
import functools
import io
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from reprolm.tokenizers.interface import Tokenizer

SHOWN = 20
MOST_RANKS = 200
MOST_WORDS = 20_000
FEWEST_BYTES = 1000
Counts = npt.NDArray[np.int64]


@functools.cache
def _script(character: str) -> str:
    """The script of a letter, by the first word of its name, as `Latin`; "" for anything else."""
    return unicodedata.name(character, "").split(" ")[0].title() if character.isalpha() else ""


def _shown(tokenizer: Tokenizer, number: int) -> str:
    return tokenizer.decode([number])


def entries(tokenizer: Tokenizer, counts: Counts) -> dict[str, Any]:
    """The longest entries, and the most frequent ones with how often they occur."""
    sizes = tokenizer.token_bytes.astype(np.int64)
    longest = np.lexsort((np.arange(len(sizes)), -sizes))[:SHOWN]
    frequent = np.lexsort((np.arange(len(counts)), -counts))[:SHOWN]
    return {
        "longest": [_shown(tokenizer, int(number)) for number in longest if sizes[number]],
        "most_frequent": [[_shown(tokenizer, int(n)), int(counts[n])] for n in frequent if counts[n]],
    }


def ranks(counts: Counts) -> str:
    """Columns rank and count: how often the entry of each rank occurs, at ranks that grow by a factor."""
    ordered = np.sort(counts[counts > 0])[::-1]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["rank", "count"])
    if len(ordered):
        at = np.unique(np.geomspace(1, len(ordered), MOST_RANKS).round().astype(int))
        writer.writerows((int(rank), int(ordered[rank - 1])) for rank in at)
    return text.getvalue()


def by_script(tokenizer: Tokenizer, texts: Iterable[str]) -> dict[str, float]:
    """Bytes a token of the words of each script, with a space before if the text has any; without rare ones.

    Vocabularies serve the scripts that they were learned from, and others pay.
    """
    words: dict[str, Counter[str]] = {}
    for text in texts:
        space = " " if " " in text else ""  # which a vocabulary of characters may lack
        for word in text.split():
            if script := next(filter(None, map(_script, word)), ""):
                words.setdefault(script, Counter())[space + word] += 1
    rates = {}
    for script, counted in words.items():
        common = counted.most_common(MOST_WORDS)
        encoded = tokenizer.encode_many([word for word, _ in common])
        size = sum(len(word.encode()) * count for word, count in common)
        tokens = sum(len(ids) * count for ids, (_, count) in zip(encoded, common, strict=True))
        if size >= FEWEST_BYTES:
            rates[script] = size / tokens
    return dict(sorted(rates.items()))
