"""Learns the merges of byte-pair encoding (Sennrich et al., arXiv:1508.07909) from counted words.

The most frequent pair is merged; of pairs that are equally frequent the one with the smaller left id,
then the one with the smaller right id. A new entry takes the next id. So the merges follow from the counts
alone, whatever the order of the words; they are those of `tokenizers`.

All words lie in one array. `head[i]` is the symbol that begins at byte `i`, `tail[i]` the one that ends
there: the neighbours of a symbol stand at `head[i + length]` and `tail[i - 1]`, without links. The places
of a pair are listed once, when the pair comes into being: later merges destroy some and never add any. So
a pair's count only falls, and what the heap holds is an upper bound; a pair is counted anew when it comes
to the top, and nothing is updated when a merge destroys its neighbours.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.int64]
Pair = tuple[int, int]
Candidate = tuple[int, int, int, Array]
"""A pair in the heap: minus an upper bound of its count, left, right, and where it stood when listed."""

BYTES = 256
EDGE = -1
GONE = -2
FEW = 24
"""Up to so many places of a pair are cheaper one by one than as arrays."""


class Words:
    """Counted words as symbols, in which pairs are merged."""

    def __init__(self, symbols: npt.NDArray[np.int32], sizes: Array, counts: Array, most: int) -> None:
        """`symbols` of all words in a row, each word's size and count, and the number of symbols to come."""
        inside = np.ones(len(symbols) + len(sizes) + 1, dtype=bool)
        inside[np.concatenate([[0], np.cumsum(sizes + 1)])] = False
        self.head = np.full(len(inside), EDGE, dtype=np.int32)
        self.head[inside] = symbols
        self.tail = self.head.copy()
        self.weight = np.zeros(len(inside), dtype=np.int64)
        self.weight[1:] = np.repeat(counts, sizes + 1)
        self.length = np.ones(most, dtype=np.int64)
        self._head, self._weight = self.head.data, self.weight.data

    def pairs(self, least: int) -> Iterator[Candidate]:
        """The pairs of bytes that occur `least` times or more."""
        at = np.flatnonzero((self.head[:-1] != EDGE) & (self.head[1:] != EDGE))
        keys = (self.head[at] * BYTES + self.head[at + 1]).astype(np.uint16)
        for key, count, places in self._grouped(keys, at, least):
            yield -count, *divmod(key, BYTES), places

    def standing(self, left: int, right: int, at: Array) -> tuple[int, Array]:
        """The count of a pair, and those of its places where it still stands."""
        if len(at) <= FEW:
            head, weight, size = self._head, self._weight, int(self.length[left])
            places = [i for i in at.tolist() if head[i] == left and head[i + size] == right]
            return sum([weight[i] for i in places]), at if len(places) == len(at) else np.array(places, int)
        places = at[(self.head[at] == left) & (self.head[at + self.length[left]] == right)]
        return int(self.weight[places].sum()), places

    def _grouped(
        self, keys: npt.NDArray[np.generic], at: Array, least: int
    ) -> Iterator[tuple[int, int, Array]]:
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

    `symbols` gives the id, below 256, of each byte; the first merge makes the id 256. `merged` is called
    after each merge.
    """
    joined = np.frombuffer(b"".join(counts), dtype=np.uint8)
    sizes = np.fromiter(map(len, counts), dtype=np.int64, count=len(counts))
    frequencies = np.fromiter(counts.values(), dtype=np.int64, count=len(counts))
    words = Words(symbols[joined], sizes, frequencies, BYTES + n_merges)
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


def replay(symbols: npt.NDArray[np.int32], table: Mapping[int, int], n_symbols: int) -> npt.NDArray[np.int32]:
    """One word after all of its merges: of the pairs that stand in it, the one learned first comes first.

    `table` gives the symbol that the pair `left * n_symbols + right` becomes.
    """
    words = Words(symbols, np.array([len(symbols)]), np.ones(1, dtype=np.int64), n_symbols)
    heap: list[tuple[int, int, int, Array]] = []

    def add(candidates: Iterable[Candidate]) -> None:
        for _, left, right, at in candidates:
            if (new := table.get(left * n_symbols + right)) is not None:
                heapq.heappush(heap, (new, left, right, at))

    add(words.pairs(1))
    while heap:
        new, left, right, at = heapq.heappop(heap)
        count, at = words.standing(left, right, at)
        if count:
            add(words.merge((left, right), new, at, 1))
    return words.head[words.head >= 0]
