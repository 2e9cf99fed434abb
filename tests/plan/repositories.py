"""Repositories made for tests, with data or without."""

from pathlib import Path
from typing import Any

import numpy as np

from reprolm.config import read_params
from reprolm.data.encode import ShardWriter
from reprolm.data.shards import ACCOUNT, LENGTHS, OFFSETS, Vocabulary, account
from reprolm.store import publish_directory
from reprolm.tokenizers.character import CharacterTokenizer
from tests.settings import ROOT, raw
from tests.tokenizers.settings import tokenizer_config

LETTERS = "abcdefghij"


def params(**sections: dict[str, Any]) -> dict[str, Any]:
    """The repository's own parameters, made small; sections may change values."""
    small = {name: raw(name) for name in ("model", "train")}
    base = read_params(ROOT / "params.yaml") | small
    base["evaluate"] = base["evaluate"] | {"stride": 8}
    base["threads"] = 1
    return base | {name: base[name] | changes for name, changes in sections.items()}


CHARACTERS = {"kind": "character", "end_of_document": False}


def publish_data(root: Path, *, tokens: int, held_out: int, source: str = "docstrings") -> None:
    """A corpus, a tokenizer of ten letters, and so many tokens of training and validation."""
    data = root / "data"
    with publish_directory(data / "corpus") as out:
        (out / "corpus.json").write_text(f'{{"source": "{source}"}}')
        (out / "train.txt").write_text("a" * tokens)
    tokenizer = CharacterTokenizer.train([LETTERS], tokenizer_config(**CHARACTERS))
    with publish_directory(data / "tokenizer") as out:
        tokenizer.save(out)
    vocabulary = Vocabulary(tokenizer.vocab_size, None, tokenizer.digest)
    numbers = {}
    with publish_directory(data / "tokens") as out:
        for name, count in (("train", tokens), ("validation", held_out)):
            with ShardWriter(out, name, vocabulary, 10**6) as writer:
                writer.add(np.zeros(count, dtype=np.uint32))
            np.array([0, count], dtype="<u8").tofile(out / f"{name}{OFFSETS}")
            numbers[name] = {"tokens": count, "documents": 1, "text_bytes": count, "shards": writer.shards}
        np.ones(len(LETTERS), dtype="<u4").tofile(out / LENGTHS)
        (out / ACCOUNT).write_text(account(vocabulary, numbers))
