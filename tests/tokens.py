"""Token directories made for tests."""

from pathlib import Path

import numpy as np

from reprolm.data.encode import ShardWriter
from reprolm.data.shards import ACCOUNT, LENGTHS, Vocabulary, account
from reprolm.store import publish_directory

VOCABULARY = 24


def write_tokens(directory: Path, **splits: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Path:
    """Publishes splits of tokens; the last id ends a document, each other stands for id + 1 bytes."""
    vocabulary = Vocabulary(VOCABULARY, VOCABULARY - 1, "digest-of-a-tokenizer")
    numbers = {}
    with publish_directory(directory) as out:
        for name, tokens in splits.items():
            with ShardWriter(out, name, vocabulary, 1000) as writer:
                writer.add(tokens)
                writer.end_document()
            numbers[name] = {"tokens": len(tokens), "documents": 1, "text_bytes": 0, "shards": writer.shards}
        (np.arange(1, VOCABULARY + 1) % VOCABULARY).astype("<u4").tofile(out / LENGTHS)
        (out / ACCOUNT).write_text(account(vocabulary, numbers))
    return directory


def patterned(length: int, seed: int = 0) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Tokens in which the next is mostly the last plus one or two: something to learn."""
    steps = np.random.default_rng(seed).choice([1, 2], p=[0.8, 0.2], size=length)
    return np.cumsum(steps) % VOCABULARY
