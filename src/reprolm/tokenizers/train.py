"""Makes a tokenizer from the train split, and measures it."""

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reprolm.corpus.read import Split, open_corpus
from reprolm.progress import Progress
from reprolm.store import publish_directory
from reprolm.tokenizers.account import by_script, entries, ranks
from reprolm.tokenizers.config import TokenizerConfig
from reprolm.tokenizers.interface import Tokenizer
from reprolm.tokenizers.load import KINDS
from reprolm.tokenizers.pieces import pieces

RANKS, ENTRIES = "ranks.csv", "entries.json"
BATCH_PIECES = 32
COUNTED_PIECES = 1024
"""Entries that are never used are sought in at most this much of the train split, about 64 MiB."""


def train(config: TokenizerConfig, corpus: Path, out: Path) -> dict[str, Any]:
    """Learns a tokenizer from the train split alone, publishes it as `out` and returns its numbers.

    `bytes_per_token` and `tokens_per_word` (fertility; words are what white space divides) are those of the
    validation split.

    Raises:
        ReprolmError: the vocabulary cannot be that large, or validation has an unseen character (exit 65);
            the corpus is missing (exit 66) or damaged (exit 76).
    """
    splits = open_corpus(corpus)
    with Progress("train_tokenizer", splits["train"].bytes, "bytes") as progress:
        tokenizer = KINDS[config.kind].train(_watched(_texts(splits["train"]), progress), config)
    validation = list(_texts(splits["validation"]))
    tokens = int(_counts(tokenizer, validation).sum())
    used = _counts(tokenizer, itertools.islice(_texts(splits["train"]), COUNTED_PIECES))
    with publish_directory(out) as directory:
        tokenizer.save(directory)
        (directory / RANKS).write_text(ranks(used))
        listed = json.dumps(entries(tokenizer, used), indent=1, ensure_ascii=False)
        (directory / ENTRIES).write_text(listed + "\n", encoding="utf-8")
    return {
        "vocab_size": tokenizer.vocab_size,
        "bytes_per_token": splits["validation"].bytes / tokens,
        "tokens_per_word": tokens / max(1, sum(len(text.split()) for text in validation)),
        "unused_entries": int(((used == 0) & (tokenizer.token_bytes > 0)).sum()),
        "longest_entry_bytes": int(tokenizer.token_bytes.max()),
        "bytes_per_token_by_script": by_script(tokenizer, validation),
    }


def _texts(documents: Split) -> Iterator[str]:
    return itertools.chain.from_iterable(map(pieces, documents.views()))


def _watched(texts: Iterable[str], progress: Progress) -> Iterator[str]:
    for text in texts:
        progress.advance(len(text.encode("utf-8", "surrogateescape")))
        yield text


def _counts(tokenizer: Tokenizer, texts: Iterable[str]) -> npt.NDArray[np.int64]:
    """How often each entry occurs."""
    counts = np.zeros(tokenizer.vocab_size, dtype=np.int64)
    rest = iter(texts)
    while batch := list(itertools.islice(rest, BATCH_PIECES)):
        counts += np.bincount(np.concatenate(tokenizer.encode_many(batch)), minlength=tokenizer.vocab_size)
    return counts
