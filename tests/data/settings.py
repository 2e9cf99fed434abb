"""Token directories made by hand."""

from pathlib import Path

import numpy as np

from reprolm.data.encode import ShardWriter
from reprolm.data.shards import ACCOUNT, LENGTHS, Tokens, Vocabulary, account


def tokens_of(directory: Path, ids: list[int], vocab_size: int, shard_tokens: int = 7) -> Tokens:
    """A directory whose train split holds `ids`."""
    vocabulary = Vocabulary(vocab_size, None, "a" * 64)
    with ShardWriter(directory, "train", vocabulary, shard_tokens) as writer:
        for start in range(0, len(ids), 5):
            writer.add(np.array(ids[start : start + 5], dtype=np.uint32))
    splits = {"train": {"documents": 1, "text_bytes": len(ids), "shards": writer.shards}}
    np.ones(vocab_size, dtype="<u4").tofile(directory / LENGTHS)
    (directory / ACCOUNT).write_text(account(vocabulary, splits))
    return Tokens(directory, "train")
