"""Batches as a function of (seed, step): nothing is remembered, so that resuming needs one number."""

import functools

import numpy as np

from reprolm.data.permutation import Permutation
from reprolm.data.shards import Array, Tokens
from reprolm.seeds import stream


class Batches:
    """Batches of `batch_size` windows of `context_length` inputs, the targets shifted by one.

    Each epoch lays the windows end to end from an offset of its own, so that their borders move, and visits
    each once in an order of its own. `windows` is the number that fits whatever the offset.

    Raises:
        ReprolmError: there are fewer tokens than one window has (exit 65).
    """

    def __init__(self, tokens: Tokens, batch_size: int, context_length: int, seed: int) -> None:
        tokens.require(context_length)
        self._tokens, self._seed = tokens, seed
        self.batch_size, self.context_length = batch_size, context_length
        self.windows = max(1, (len(tokens) - context_length) // context_length)
        self._epoch = functools.lru_cache(maxsize=4)(self._drawn)

    def _drawn(self, epoch: int) -> tuple[int, Permutation]:
        """Offset and order of an epoch."""
        room = len(self._tokens) - 1 - self.windows * self.context_length
        offsets = min(self.context_length, room + 1)
        offset = stream(self._seed, "batches", "offset", epoch) % offsets
        return offset, Permutation(self.windows, stream(self._seed, "batches", "order", epoch))

    def epoch_at(self, step: int) -> int:
        """The epoch in which a step begins."""
        return step * self.batch_size // self.windows

    def starts(self, step: int, first: int, last: int) -> Array:
        """The first token of each of the rows `first` … `last` − 1 of a batch."""
        visits = step * self.batch_size + np.arange(first, last)
        epochs = visits // self.windows
        starts = np.empty(len(visits), dtype=np.int64)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1) if len(visits) else ():
            here = epochs == epoch
            offset, order = self._epoch(epoch)
            starts[here] = offset + order(visits[here] % self.windows) * self.context_length
        return starts

    def rows(self, step: int, first: int, last: int) -> tuple[Array, Array]:
        """Inputs and targets of the rows `first` … `last` − 1 of the batch at `step`: the part of a rank."""
        windows = self._tokens.windows(self.starts(step, first, last), self.context_length + 1)
        return np.ascontiguousarray(windows[:, :-1]), np.ascontiguousarray(windows[:, 1:])

    def at(self, step: int) -> tuple[Array, Array]:
        """Inputs and targets of the batch at `step`, each [batch_size, context_length]."""
        return self.rows(step, 0, self.batch_size)
