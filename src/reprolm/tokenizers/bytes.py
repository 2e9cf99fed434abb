"""One token a byte: the vocabulary needs no training, and takes what is no text as well."""

import json
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np

from reprolm.tokenizers.config import BYTES, TokenizerConfig
from reprolm.tokenizers.interface import END_OF_DOCUMENT, Ids, Tokenizer


class BytesTokenizer(Tokenizer):
    """The id of a byte is its value; `<|endoftext|>` follows as 256 where it is asked for."""

    def __init__(self, serialized: str) -> None:
        specials: list[str] = json.loads(serialized)["specials"]
        entries = [bytes([byte]) for byte in range(BYTES)] + [b""] * len(specials)
        super().__init__(entries, BYTES if END_OF_DOCUMENT in specials else None, serialized)

    @classmethod
    def train(cls, _texts: Iterable[str], config: TokenizerConfig) -> Self:
        """The tokenizer of all bytes, whatever the texts."""
        content = {"kind": "bytes", "specials": [END_OF_DOCUMENT] * config.end_of_document}
        return cls(json.dumps(content, indent=1) + "\n")

    def encode_many(self, texts: Sequence[str]) -> list[Ids]:
        """The ids of each text."""
        return [self.encode_bytes(text.encode()) for text in texts]

    def encode_bytes(self, content: bytes) -> Ids:
        """The ids of any bytes."""
        return np.frombuffer(content, dtype=np.uint8).astype(np.uint32)
