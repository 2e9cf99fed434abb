"""What every tokenizer does: text to ids and back, byte for byte."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reprolm.errors import refuse

Ids = npt.NDArray[np.uint32]
FILE = "tokenizer.json"
END_OF_DOCUMENT = "<|endoftext|>"


class Tokenizer(ABC):
    """A vocabulary and the way into it. Text never yields `end_of_document`: only the pipeline inserts it.

    `entries` holds the bytes that each id stands for, none for the special ones; `serialized` the content of
    `tokenizer.json`, from which everything else follows. `uses_all_cores` tells whether `encode_many` does.
    """

    uses_all_cores = False

    def __init__(self, entries: Sequence[bytes], end_of_document: int | None, serialized: str) -> None:
        self.vocab_size = len(entries)
        self.end_of_document = end_of_document
        self.token_bytes: Ids = np.array([len(entry) for entry in entries], dtype=np.uint32)
        self.digest = hashlib.sha256(serialized.encode()).hexdigest()
        self._entries = list(entries)
        self._serialized = serialized

    def encode(self, text: str) -> list[int]:
        """The ids of a text.

        Raises:
            ReprolmError: the text has a character that the vocabulary lacks, or is no Unicode text (exit 65).
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise refuse(
                "text",
                f"is no Unicode text: U+{ord(text[error.start]):04X} at position {error.start}",
                got=text.encode("utf-8", "replace").decode(),
            ) from error
        ids: list[int] = self.encode_many([text])[0].tolist()
        return ids

    @abstractmethod
    def encode_many(self, texts: Sequence[str]) -> list[Ids]:
        """The ids of each text, faster than one by one."""

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes that ids stand for; `end_of_document` stands for none."""
        return b"".join(map(self._entries.__getitem__, ids))

    def decode(self, ids: Iterable[int]) -> str:
        """The text that ids stand for, U+FFFD for what is not UTF-8."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def save(self, directory: Path) -> None:
        """Writes `tokenizer.json` into a directory that is about to be published."""
        (directory / FILE).write_text(self._serialized, encoding="utf-8")
