"""Batches as a function of (seed, step): nothing is remembered, so that resuming needs one number."""

import functools
from dataclasses import dataclass

import numpy as np

from reprolm.data.permutation import Permutation
from reprolm.data.shards import Array, Tokens
from reprolm.data.windows import IGNORED, Laid, Packed, Padded, numbered
from reprolm.seeds import stream

AHEAD_STEPS = 32
"""Steps whose windows are drawn at once: each call has a price that a small model feels."""


@dataclass(frozen=True)
class Batch:
    """Rows of a batch: what is read, and what is to be predicted after each token, −100 where nothing is.

    `counted` is the number of targets of the whole batch, other ranks' rows too: the loss of a step is a sum
    divided by it. `documents` numbers the documents of a row, where tokens must not see another's.
    """

    inputs: Array
    targets: Array
    counted: int
    documents: Array | None = None


class Batches:
    """Batches of `batch_size` windows of at most `context_length` inputs, the targets shifted by one.

    `laid` is how windows lie in the text (see `data.windows`). By `permutation` each epoch visits every
    window once, in an order of its own, with borders of its own where the text is packed;
    `with_replacement` draws each window by lot, anywhere. `windows` is the number of an epoch.

    Raises:
        ReprolmError: there are fewer tokens than one window has (exit 65).
    """

    def __init__(
        self, tokens: Tokens, batch_size: int, context_length: int, seed: int, *, laid: Laid = "packed",
        sampling: str = "permutation",
    ) -> None:  # fmt: skip
        self._windows = (Padded if laid == "padded" else Packed)(tokens, context_length)
        self._tokens = tokens
        self._seed, self._isolated, self._drawn = seed, laid == "isolated", sampling == "with_replacement"
        self.batch_size, self.context_length = batch_size, context_length
        self.windows = self._windows.count
        self._epoch = functools.lru_cache(maxsize=4)(self._order)
        self._ahead = functools.lru_cache(maxsize=2)(self._draw_ahead)

    def _order(self, epoch: int) -> tuple[int, Permutation]:
        """Shift and order of an epoch."""
        shift = stream(self._seed, "batches", "offset", epoch) % self._windows.shifts
        return shift, Permutation(self.windows, stream(self._seed, "batches", "order", epoch))

    def starts(self, step: int) -> Array:
        """The first token of each row of a batch."""
        drawn: Array = self._ahead(step // AHEAD_STEPS)[step % AHEAD_STEPS]
        return drawn

    def _draw_ahead(self, block: int) -> Array:
        """The starts of a block of steps, one row each."""
        steps = range(block * AHEAD_STEPS, (block + 1) * AHEAD_STEPS)
        if self._drawn:
            return self._windows.anywhere(np.stack([self._lots(step) for step in steps]))
        visits = steps.start * self.batch_size + np.arange(AHEAD_STEPS * self.batch_size)
        epochs = visits // self.windows
        starts = np.empty(len(visits), dtype=np.int64)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            here = epochs == epoch
            shift, order = self._epoch(epoch)
            starts[here] = self._windows.start(order(visits[here] % self.windows), shift)
        return starts.reshape(AHEAD_STEPS, self.batch_size)

    def _lots(self, step: int) -> Array:
        """A number below `places` for each row."""
        source = np.random.Philox(key=stream(self._seed, "batches", "drawn", step))
        lots = source.random_raw(self.batch_size) % np.uint64(self._windows.places)
        return lots.astype(np.int64)

    def rows(self, step: int, first: int, last: int) -> Batch:
        """The rows `first` … `last` − 1 of the batch at `step`: the part of a rank."""
        every = self.starts(step)
        lengths = self._windows.lengths(every)
        width, starts = int(lengths.max()), every[first:last]
        windows = self._windows.read(starts, width + 1)
        # copies: filling one must not write into the other
        inputs, targets = windows[:, :-1].copy(), windows[:, 1:].copy()
        if int(lengths.min()) < width:
            beyond = np.arange(width) >= lengths[first:last, None]
            inputs[beyond], targets[beyond] = 0, IGNORED
        documents = self._windows.documents(starts, width) if self._isolated else None
        return Batch(inputs, targets, int(lengths.sum()), documents)

    def documents(self, step: int) -> list[int]:
        """The numbers of the documents, from 1, that the batch at `step` was taken from."""
        starts = self.starts(step)
        first, last = (
            numbered(self._tokens, at).tolist() for at in (starts, starts + self._windows.lengths(starts) - 1)
        )
        return sorted({number for a, b in zip(first, last, strict=True) for number in range(a, b + 1)})

    def at(self, step: int) -> Batch:
        """The batch at `step`, each part [batch_size, context_length]."""
        return self.rows(step, 0, self.batch_size)
