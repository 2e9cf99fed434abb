"""One token a byte: any text in any encoding, and a vocabulary of 256."""

import json
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np

from reprolm.tokenizers.config import TokenizerConfig
from reprolm.tokenizers.interface import END_OF_DOCUMENT, Ids, Tokenizer


class BytesTokenizer(Tokenizer):
    """Id = byte; then `<|endoftext|>` where it is asked for."""

    def __init__(self, serialized: str) -> None:
        specials: list[str] = json.loads(serialized)["specials"]
        entries = [bytes([byte]) for byte in range(256)] + [b""] * len(specials)
        super().__init__(entries, 256 if END_OF_DOCUMENT in specials else None, serialized)

    @classmethod
    def train(cls, texts: Iterable[str], config: TokenizerConfig) -> Self:
        """There is nothing to learn; the texts are read all the same, so that damage is found here."""
        for _ in texts:
            pass
        content = {"kind": "bytes", "specials": [END_OF_DOCUMENT] * config.end_of_document}
        return cls(json.dumps(content, indent=1) + "\n")

    def encode_many(self, texts: Sequence[str]) -> list[Ids]:
        """The bytes of each text."""
        raw = (text.encode("utf-8", "surrogateescape") for text in texts)
        return [np.frombuffer(part, dtype=np.uint8).astype(np.uint32) for part in raw]
