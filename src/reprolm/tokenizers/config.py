"""The section `tokenizer`."""

from typing import Annotated, Literal

from pydantic import Field

from reprolm.config import Config, rule
from reprolm.errors import Problem

BYTES = 256


class CharacterConfig(Config):
    """Options of `character`; `unknown` adds an entry for characters that the train split lacks."""

    unknown: bool


class HuggingFaceConfig(Config):
    """Options of `huggingface`; a pair is merged only if it occurs `min_frequency` times or more."""

    min_frequency: Annotated[int, Field(ge=1)]


class TokenizerConfig(Config):
    """The section `tokenizer`. `character` takes its vocabulary from the text and ignores `vocab_size`.

    With `end_of_document` the vocabulary has an entry `<|endoftext|>`, which is put after each document.
    """

    kind: Literal["character", "huggingface"]
    vocab_size: Annotated[int, Field(ge=1, le=2**31 - 1)]
    end_of_document: bool
    character: CharacterConfig
    huggingface: HuggingFaceConfig

    @rule
    def _room_for_bytes(self) -> Problem | None:
        least = BYTES + self.end_of_document
        if self.kind != "huggingface" or self.vocab_size >= least:
            return None
        want = f"at least {least}: 256 bytes" + " and <|endoftext|>" * self.end_of_document
        return Problem("vocab_size", "is too small for tokenizer.kind huggingface", self.vocab_size, want)
