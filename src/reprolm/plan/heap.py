"""Where the C library would put what is allocated, for memory that is freed is not always of use again."""

from bisect import bisect_left, insort

ALIGNMENT_BYTES = 64
"""Tensors begin at multiples of it."""


class Heap:
    """The heap of glibc for large blocks: the smallest gap that fits, from its start; else the top rises.

    Freed blocks are joined with free neighbours. The process keeps what it once had (`reprolm.device`), so
    that `highest_bytes` is what it takes of the machine.
    """

    def __init__(self) -> None:
        self.top_bytes = self.highest_bytes = 0
        self._gaps: list[tuple[int, int]] = []
        """Size and start, sorted."""
        self._size_at: dict[int, int] = {}
        self._start_of_end: dict[int, int] = {}

    def allocate(self, size: int) -> int:
        """The address of a new block."""
        size = _rounded(size)
        index = bisect_left(self._gaps, (size + ALIGNMENT_BYTES, 0))
        if index == len(self._gaps):
            start, self.top_bytes = self.top_bytes, self.top_bytes + size
            self.highest_bytes = max(self.highest_bytes, self.top_bytes)
            return start
        found, start = self._gaps[index]
        self._forget(start)
        if found > size:
            self._remember(start + size, found - size)
        return start

    def free(self, start: int, size: int) -> None:
        """Takes back a block of `size` bytes."""
        size = _rounded(size)
        if (before := self._start_of_end.get(start)) is not None:
            size += self._forget(before)
            start = before
        if start + size in self._size_at:
            size += self._forget(start + size)
        if start + size == self.top_bytes:
            self.top_bytes = start
        else:
            self._remember(start, size)

    def _remember(self, start: int, size: int) -> None:
        insort(self._gaps, (size, start))
        self._size_at[start] = size
        self._start_of_end[start + size] = start

    def _forget(self, start: int) -> int:
        """Removes a gap and returns its size."""
        size = self._size_at.pop(start)
        del self._start_of_end[start + size]
        del self._gaps[bisect_left(self._gaps, (size, start))]
        return size


def _rounded(size: int) -> int:
    return -(-max(size, 1) // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
