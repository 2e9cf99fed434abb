"""Learns the merges of byte-pair encoding (Sennrich et al., arXiv:1508.07909) from counted words.

The most frequent pair is merged; of pairs that are equally frequent the one with the smaller left id, then with
the smaller right id. A new entry takes the next id. So the merges follow from the counts alone, and are those
of `tokenizers`.

All words lie in one array. `head[i]` is the symbol that begins at byte `i`, `tail[i]` the one that ends there,
so that the neighbours of a symbol are found without links: those after it at `i + length`, those before it in
`tail[i - 1]`. The positions of a pair are listed when the pair comes into being. Later merges can only destroy
some of them, never add any, so a pair's count can only fall: the heap holds upper bounds, and a pair is counted
anew only when it comes to the top. So nothing needs to be updated when a merge destroys its neighbours.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.int64]
Pair = tuple[int, int]
Candidate = tuple[int, int, int, Array]
"""A pair in the heap: minus an upper bound of its count, left, right, and where it stood when it was listed."""

BYTES = 256
EDGE = -1
GONE = -2
FEW = 24
"""Up to so many places of a pair are cheaper one by one than as arrays."""


class Words:
    """Counted words as symbols, in which pairs are merged."""

    def __init__(self, counts: Mapping[bytes, int], symbols: npt.NDArray[np.int32], most: int) -> None:
        words = [word for word in counts if len(word) > 1]
        sizes = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
        self.head = np.full(int(sizes.sum()) + len(words) + 1, EDGE, dtype=np.int32)
        inside = np.ones(len(self.head), dtype=bool)
        inside[np.concatenate([[0], np.cumsum(sizes + 1)])] = False
        self.head[inside] = symbols[np.frombuffer(b"".join(words), dtype=np.uint8)]
        self.tail = self.head.copy()
        self.weight = np.zeros(len(self.head), dtype=np.int64)
        self.weight[1:] = np.repeat(np.array([counts[word] for word in words], dtype=np.int64), sizes + 1)
        self.length = np.ones(most, dtype=np.int64)
        self._head, self._tail = memoryview(self.head), memoryview(self.tail)
        self._weight, self._length = memoryview(self.weight), memoryview(self.length)

    def pairs(self, least: int) -> Iterator[Candidate]:
        """The pairs of bytes that occur `least` times or more."""
        at = np.flatnonzero((self.head[:-1] != EDGE) & (self.head[1:] != EDGE))
        keys = (self.head[at] * BYTES + self.head[at + 1]).astype(np.uint16)
        for key, count, places in self._grouped(keys, at, least):
            yield -count, *divmod(key, BYTES), places

    def standing(self, left: int, right: int, at: Array) -> tuple[int, Array]:
        """The count of a pair, and those of its places where it still stands."""
        if len(at) <= FEW:
            head, weight, size = self._head, self._weight, self._length[left]
            places = [i for i in at.tolist() if head[i] == left and head[i + size] == right]
            return sum([weight[i] for i in places]), at if len(places) == len(at) else np.array(places, int)
        places = at[(self.head[at] == left) & (self.head[at + self.length[left]] == right)]
        return int(self.weight[places].sum()), places

    def _grouped(self, keys: npt.NDArray[np.generic], at: Array, least: int) -> Iterator[tuple[int, int, Array]]:
        """Each key, its count where that is `least` or more, and its places in order."""
        if not len(keys):
            return
        order = keys.argsort(kind="stable")
        keys, at = keys[order], at[order]
        starts = np.concatenate([[0], np.flatnonzero(keys[1:] != keys[:-1]) + 1])
        counts = np.add.reduceat(self.weight[at], starts)
        ends = np.append(starts[1:], len(at))
        for i in np.flatnonzero(counts >= least).tolist():
            yield int(keys[starts[i]]), int(counts[i]), at[starts[i] : ends[i]]

    def merge(self, pair: Pair, new: int, at: Array, least: int) -> Iterator[Candidate]:
        """Puts the symbol `new` for a pair that stands at `at`; gives the pairs that come of it."""
        left, right = pair
        size = int(self.length[left])
        self.length[new] = size + self.length[right]
        if left == right:
            at = _apart(at, size)
        self.head[at] = new
        self.head[at + size] = GONE
        after = at + self.length[new]
        self.tail[after - 1] = new
        following, before = self.head[after], self.tail[at - 1]
        inside = following != EDGE
        for key, count, places in self._grouped(following[inside], at[inside], least):
            yield -count, new, key, places
        # two of the new symbol side by side were found from the first of them
        inside = (before != EDGE) & (before != new)
        before = before[inside]
        for key, count, places in self._grouped(before, at[inside] - self.length[before], least):
            yield -count, key, new, places


def _apart(at: Array, size: int) -> Array:
    """The places of a pair of two equal symbols without those that overlap the one before, as in `aaa`."""
    first = np.ones(len(at), dtype=bool)
    first[1:] = at[1:] != at[:-1] + size
    index = np.arange(len(at))
    return at[(index - np.maximum.accumulate(np.where(first, index, 0))) % 2 == 0]


def learn(
    counts: Mapping[bytes, int],
    symbols: npt.NDArray[np.int32],
    n_merges: int,
    min_frequency: int,
    merged: Callable[[], None] = lambda: None,
) -> list[Pair]:
    """The first `n_merges` merges, fewer where no pair occurs `min_frequency` times any more.

    `symbols` gives the id, below 256, of each byte; the first merge makes the id 256. `merged` is called after
    each merge.
    """
    words = Words(counts, symbols, BYTES + n_merges)
    heap = list(words.pairs(min_frequency))
    heapq.heapify(heap)
    merges: list[Pair] = []
    while heap and len(merges) < n_merges:
        bound, left, right, at = heap[0]
        count, at = words.standing(left, right, at)
        if count < -bound:
            if count < min_frequency:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (-count, left, right, at))
            continue
        heapq.heappop(heap)
        new = BYTES + len(merges)
        merges.append((left, right))
        for candidate in words.merge((left, right), new, at, min_frequency):
            heapq.heappush(heap, candidate)
        merged()
    return merges
