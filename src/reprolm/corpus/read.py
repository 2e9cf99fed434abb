"""Reading a published corpus."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from reprolm.corpus.text import forget, forgetting, mapped
from reprolm.errors import Exit, refuse
from reprolm.store import verified

SPLITS = ("train", "validation", "test")
Bytes = bytes
MOST_NUMBERS = 1 << 12


class Split:
    """One split of a corpus directory that was verified."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self._content = memoryview(mapped(directory / f"{name}.txt"))
        self._places = memoryview(mapped(directory / f"{name}.offsets"))
        self.offsets = np.frombuffer(self._places, dtype="<u8")
        if not len(self.offsets) or self.offsets[-1] != len(self._content):
            raise refuse(
                str(directory / f"{name}.offsets"), "does not fit its text",
                got=int(self.offsets[-1]) if len(self.offsets) else "nothing",
                want=f"{len(self._content)} bytes", exit=Exit.INTEGRITY,
            )  # fmt: skip

    def __len__(self) -> int:
        """The number of documents."""
        return len(self.offsets) - 1

    @property
    def bytes(self) -> int:
        """The size of the text."""
        return len(self._content)

    def content(self) -> memoryview:
        """The whole text, without a copy."""
        return self._content

    def views(self) -> Iterator[memoryview]:
        """The documents in order, without a copy."""
        return forgetting(self._content[start:end] for start, end in itertools.pairwise(self._bounds()))

    def _bounds(self) -> Iterator[int]:
        # numbers of Python's take five times the room, and are asked for one by one
        for first in range(0, len(self.offsets), MOST_NUMBERS):
            yield from self.offsets[first : first + MOST_NUMBERS].tolist()
            forget(self._places)

    def documents(self) -> Iterator[Bytes]:
        """The documents in order."""
        return map(Bytes, self.views())


def open_corpus(directory: Path) -> dict[str, Split]:
    """The splits by name, after each file was compared with the manifest.

    Raises:
        ReprolmError: the corpus is missing (exit 66) or damaged (exit 76).
    """
    verified(directory)
    return {name: Split(directory, name) for name in SPLITS}
