"""How windows lie in the text.

`packed`: end to end over the whole text, as if it were one. `isolated`: the same, but a token sees only its
own document. `padded`: a window begins with a document, or goes on where the one before ended in it; what is
shorter than the others of its batch is filled up, and the filling counts nowhere.
"""

from typing import Literal

import numpy as np

from reprolm.data.shards import Array, Tokens
from reprolm.errors import refuse

Laid = Literal["packed", "isolated", "padded"]
IGNORED = -100
"""The target where nothing is to be predicted."""


def numbered(tokens: Tokens, places: Array) -> Array:
    """The number of the document in which each place lies, from 1."""
    return np.searchsorted(tokens.document_offsets, places, side="right")


class Packed:
    """Windows end to end, from a shift on; `count` is the number that fits whatever the shift."""

    def __init__(self, tokens: Tokens, context_length: int) -> None:
        tokens.require(context_length)
        self._tokens, self._length = tokens, context_length
        self.count = max(1, (len(tokens) - context_length) // context_length)
        room = len(tokens) - 1 - self.count * context_length
        self.shifts = min(context_length, room + 1)
        self.places = len(tokens) - context_length

    def start(self, window: Array, shift: int) -> Array:
        """The first token of windows by their number."""
        return shift + window * self._length

    def anywhere(self, lot: Array) -> Array:
        """The first token of a window that begins at any place, by a number below `places`."""
        return lot

    def lengths(self, starts: Array) -> Array:
        """How many inputs each window has."""
        return np.full(len(starts), self._length, dtype=np.int64)

    def read(self, starts: Array, width: int) -> Array:
        """The tokens from each start on, one row each."""
        return self._tokens.windows(starts, width)

    def documents(self, starts: Array, width: int) -> Array:
        """The number of the document that each input belongs to."""
        return numbered(self._tokens, starts[:, None] + np.arange(width))


class Padded(Packed):
    """Windows inside documents: ⌈(tokens − 1) / context⌉ of each; a document of one token has none."""

    def __init__(self, tokens: Tokens, context_length: int) -> None:
        self._tokens, self._length = tokens, context_length
        offsets = tokens.document_offsets
        self._starts, sizes = offsets[:-1], np.diff(offsets)
        self._ends = offsets[1:]
        self._until = np.cumsum(-(-(sizes - 1).clip(min=0) // context_length))
        self.count = int(self._until[-1]) if len(sizes) else 0
        self.shifts, self.places = 1, self.count
        if not self.count:
            what = f"padded finds no document of two tokens in the {tokens.split} split"
            raise refuse("train.windows", what, got=f"{len(sizes)} documents", want="longer ones, or packed")

    def start(self, window: Array, shift: int) -> Array:  # noqa: ARG002
        """The first token of windows by their number."""
        document = np.searchsorted(self._until, window, side="right")
        before = np.where(document > 0, self._until[document - 1], 0)
        starts: Array = self._starts[document] + (window - before) * self._length
        return starts

    def anywhere(self, lot: Array) -> Array:
        """A window by a number below `places`: they begin nowhere else."""
        return self.start(lot, 0)

    def lengths(self, starts: Array) -> Array:
        """How many inputs each window has: up to the last token but one of its document."""
        document = np.searchsorted(self._starts, starts, side="right") - 1
        lengths: Array = np.minimum(self._length, self._ends[document] - 1 - starts)
        return lengths

    def read(self, starts: Array, width: int) -> Array:
        """The tokens from each start on, one row each; what lies beyond the text is 0."""
        left = len(self._tokens) - starts
        if int(left.min()) >= width:
            return self._tokens.windows(starts, width)
        rows = np.zeros((len(starts), width), dtype=np.int64)
        for row, start in zip(rows, starts.tolist(), strict=True):
            part = self._tokens[start : start + width]
            row[: len(part)] = part
        return rows
