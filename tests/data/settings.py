"""Token directories made by hand."""

import itertools
from collections.abc import Collection
from pathlib import Path

import numpy as np

from reprolm.data.encode import ShardWriter
from reprolm.data.shards import ACCOUNT, LENGTHS, Tokens, Vocabulary, account


def tokens_of(
    directory: Path, ids: list[int], vocab_size: int, shard_tokens: int = 7, ends: Collection[int] = ()
) -> Tokens:
    """A directory whose train split holds `ids`; documents end at `ends` and at the end."""
    vocabulary = Vocabulary(vocab_size, None, "a" * 64)
    with ShardWriter(directory, "train", vocabulary, shard_tokens) as writer:
        parts = sorted({0, *range(0, len(ids), 5), *ends, len(ids)})
        for start, end in itertools.pairwise(parts):
            writer.add(np.array(ids[start:end], dtype=np.uint32))
            if end in {*ends, len(ids)}:
                writer.end_document()
    splits = {"train": {"documents": len({*ends, len(ids)}), "text_bytes": len(ids), "shards": writer.shards}}
    np.ones(vocab_size, dtype="<u4").tofile(directory / LENGTHS)
    (directory / ACCOUNT).write_text(account(vocabulary, splits))
    return Tokens(directory, "train")
