"""The section `tokenizer`."""

from typing import Annotated, Literal

from pydantic import Field

from reprolm.config import Config, rule
from reprolm.errors import Problem

BYTES = 256
SIZED = ("bytepair", "huggingface")
"""The kinds that learn `vocab_size` entries."""
BYTE_LEVEL = ("bytes", "bytepair")
"""The kinds that read any bytes, text or not."""


class CharacterConfig(Config):
    """Options of `character`; `unknown` adds an entry for characters that the train split lacks."""

    unknown: bool


class HuggingFaceConfig(Config):
    """Options of `huggingface`; a pair is merged only if it occurs `min_frequency` times or more."""

    min_frequency: Annotated[int, Field(ge=1)]


class BytePairConfig(Config):
    """Options of `bytepair`: what divides text into words, and how often a pair must occur to be merged."""

    pattern: Literal["gpt2", "gpt4"]
    min_frequency: Annotated[int, Field(ge=1)]


class TokenizerConfig(Config):
    """The section `tokenizer`. `character` and `bytes` ignore `vocab_size`: their vocabulary is given.

    With `end_of_document` the vocabulary has an entry `<|endoftext|>`, which is put after each document.
    """

    kind: Literal["character", "bytes", "bytepair", "huggingface"]
    vocab_size: Annotated[int, Field(ge=1, le=2**31 - 1)]
    end_of_document: bool
    character: CharacterConfig
    bytepair: BytePairConfig
    huggingface: HuggingFaceConfig

    @property
    def known_size(self) -> int | None:
        """The entries that there will be, where parameters alone tell it: a text has its own characters."""
        if self.kind == "character":
            return None
        return self.vocab_size if self.kind in SIZED else BYTES + self.end_of_document

    @rule
    def _room_for_bytes(self) -> Problem | None:
        least = BYTES + self.end_of_document
        if self.kind not in SIZED or self.vocab_size >= least:
            return None
        want = f"at least {least}: 256 bytes" + " and <|endoftext|>" * self.end_of_document
        return Problem("vocab_size", f"is too small for tokenizer.kind {self.kind}", self.vocab_size, want)
