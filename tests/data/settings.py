"""Token directories made by hand."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from reprolm.data.encode import ShardWriter
from reprolm.data.shards import ACCOUNT, LENGTHS, Tokens, Vocabulary, account


def tokens_of(
    directory: Path, ids: list[int], vocab_size: int, shard_tokens: int = 7, ends: Collection[int] = ()
) -> Tokens:
    """A directory whose train split holds `ids`; documents end at `ends`, multiples of 5, and at the end."""
    vocabulary = Vocabulary(vocab_size, None, "a" * 64)
    with ShardWriter(directory, "train", vocabulary, shard_tokens) as writer:
        for start in range(0, len(ids), 5):
            writer.add(np.array(ids[start : start + 5], dtype=np.uint32))
            if start + 5 in ends:
                writer.end_document()
        writer.end_document()
    splits = {"train": {"documents": 1 + len(ends), "text_bytes": len(ids), "shards": writer.shards}}
    np.ones(vocab_size, dtype="<u4").tofile(directory / LENGTHS)
    (directory / ACCOUNT).write_text(account(vocabulary, splits))
    return Tokens(directory, "train")
