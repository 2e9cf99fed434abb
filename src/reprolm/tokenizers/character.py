"""One token a character: the vocabulary is the sorted characters of the training text."""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np

from reprolm.errors import refuse
from reprolm.tokenizers.config import TokenizerConfig
from reprolm.tokenizers.interface import END_OF_DOCUMENT, Ids, Tokenizer

UNKNOWN = "<|unknown|>"
CODE_POINTS = 0x110000
ABSENT = np.uint32(2**32 - 1)
CONTEXT_CHARACTERS = 12


class CharacterTokenizer(Tokenizer):
    """Ids in the order of code points, then `<|endoftext|>` and `<|unknown|>` where they are asked for."""

    def __init__(self, serialized: str) -> None:
        content = json.loads(serialized)
        characters: str = content["characters"]
        specials: list[str] = content["specials"]
        ids = {name: len(characters) + i for i, name in enumerate(specials)}
        entries = [character.encode() for character in characters]
        entries += ["\ufffd".encode() if name == UNKNOWN else b"" for name in specials]
        super().__init__(entries, ids.get(END_OF_DOCUMENT), serialized)
        self.unknown = ids.get(UNKNOWN)
        if self.unknown is not None:
            # what it replaced is not known, so it counts no bytes
            self.token_bytes[self.unknown] = 0
        self._ids = np.full(CODE_POINTS, ABSENT if self.unknown is None else self.unknown, dtype=np.uint32)
        self._ids[[ord(character) for character in characters]] = np.arange(len(characters))

    @classmethod
    def train(cls, texts: Iterable[str], config: TokenizerConfig) -> Self:
        """The tokenizer of the characters that occur in `texts`."""
        characters: set[str] = set()
        for text in texts:
            characters.update(text)
        specials = [END_OF_DOCUMENT] * config.end_of_document + [UNKNOWN] * config.character.unknown
        content = {"kind": "character", "characters": "".join(sorted(characters)), "specials": specials}
        return cls(json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    def encode_many(self, texts: Sequence[str]) -> list[Ids]:
        """The ids of each text.

        Raises:
            ReprolmError: a character is not in the vocabulary, which has no entry for unknown ones (exit 65).
        """
        return [self._encoded(text) for text in texts]

    def _encoded(self, text: str) -> Ids:
        ids: Ids = self._ids[np.frombuffer(text.encode("utf-32-le"), dtype="<u4")]
        absent = ids == ABSENT
        if absent.any():
            raise _unseen(text, int(absent.argmax()))
        return ids


def _unseen(text: str, position: int) -> Exception:
    character = text[position]
    name = unicodedata.name(character, "a character without a name")
    return refuse(
        "text",
        f"{name}, U+{ord(character):04X} at position {position}, is not in the vocabulary of the train split",
        got=text[max(0, position - CONTEXT_CHARACTERS) : position + CONTEXT_CHARACTERS],
        want="characters that occur there, or tokenizer.character.unknown: true",
    )
