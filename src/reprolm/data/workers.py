"""Tokenizing on all cores: processes for tokenizers that use one, the tokenizer itself where it uses all.

How many processes there are changes no byte, so that it is no parameter of a result: as many as there are
cores. `tokenizers` has threads of its own, which share one vocabulary and start at once.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from reprolm import processes
from reprolm.tokenizers.interface import Ids, Tokenizer
from reprolm.tokenizers.load import load

FEWEST_BYTES = 8 << 20
"""Of less text, starting processes takes longer than the work."""
_tokenizer: Tokenizer


def _start(directory: Path) -> None:
    global _tokenizer  # noqa: PLW0603 - a process of a pool has no other place to keep it
    _tokenizer = load(directory)


def _encoded(texts: Sequence[str]) -> list[Ids]:
    return _tokenizer.encode_many(texts)


class Workers:
    """Encodes batches of texts in their order."""

    def __init__(self, tokenizer: Tokenizer, directory: Path, total_bytes: int) -> None:
        self.end_of_document = tokenizer.end_of_document
        self._tokenizer, self._directory = tokenizer, directory
        self._alone = tokenizer.uses_all_cores or total_bytes < FEWEST_BYTES or processes.cores() == 1

    def encoded(self, batches: Iterator[list[str]]) -> Iterator[tuple[list[str], list[Ids]]]:
        """Each batch with the ids of its texts.

        Raises:
            ReprolmError: a text has a character that the vocabulary lacks (exit 65), or the system killed one
                of the processes, as it does when memory runs out (exit 71).
        """
        if self._alone:
            return ((batch, self._tokenizer.encode_many(batch)) for batch in batches)
        return processes.in_order(_encoded, batches, start=_start, arguments=(self._directory,))
