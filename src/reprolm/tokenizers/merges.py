"""Learning byte-pair merges (Sennrich et al. 2016, arXiv:1508.07909): always the most frequent pair.

Of pairs that are equally frequent the one with the smaller left id comes first, then the one with the
smaller right id, as in `tokenizers`. A merge takes the next id. So the merges follow from the counts alone.

All words lie in one array. `head[i]` is the symbol that begins at byte `i`, `tail[i]` the one that ends
there: the neighbours of a symbol stand at `head[i + length]` and `tail[i - 1]`, without links. The places
of a pair are listed once, when the pair comes into being: later merges destroy some and never add any. So
a pair's count only falls, and what the heap holds is an upper bound; a pair is counted anew when it comes
to the top, and nothing is updated when a merge destroys its neighbours.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from reprolm.tokenizers.bytelevel import BYTES

Array = npt.NDArray[np.int64]
Symbols = npt.NDArray[np.int32]
Places = Array | list[int]
"""Where a pair stands, from left to right: few places in a list."""
Candidate = tuple[int, int, int, Places]
"""A pair in the heap: minus an upper bound of its count, left, right, and where it stood when listed."""

EDGE = -1
GONE = -2
FEW = 24
"""Up to so many places of a pair are cheaper one by one than as arrays."""
ID = np.argsort(np.frombuffer(BYTES, dtype=np.uint8)).astype(np.int32)
"""The id of each byte."""


class _Text:
    """Counted words as symbols, in which pairs are merged."""

    def __init__(self, words: Mapping[bytes, int], most: int) -> None:
        """`most` is the number of symbols that there may be in the end."""
        sizes = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
        counts = np.fromiter(words.values(), dtype=np.int64, count=len(words))
        inside = np.ones(int(sizes.sum()) + len(words) + 1, dtype=bool)
        inside[np.concatenate([[0], np.cumsum(sizes + 1)])] = False
        self.head = np.full(len(inside), EDGE, dtype=np.int32)
        self.head[inside] = ID[np.frombuffer(b"".join(words), dtype=np.uint8)]
        self.tail = self.head.copy()
        self.weight = np.zeros(len(inside), dtype=np.int64)
        self.weight[1:] = np.repeat(counts, sizes + 1)
        self.length = np.ones(most, dtype=np.int64)
        # one number of an array is read and written five times as fast through its memory
        self._head, self._tail = self.head.data, self.tail.data
        self._weight, self._length = self.weight.data, self.length.data

    def pairs(self, least: int) -> Iterator[Candidate]:
        """The pairs of bytes that occur `least` times or more."""
        at = np.flatnonzero((self.head[:-1] != EDGE) & (self.head[1:] != EDGE))
        keys = (self.head[at] * len(ID) + self.head[at + 1]).astype(np.uint16)
        for key, count, places in self._grouped(keys, at, least):
            yield -count, *divmod(key, len(ID)), places

    def _grouped(
        self, keys: npt.NDArray[np.integer], at: Array, least: int
    ) -> Iterator[tuple[int, int, Array]]:
        """Each key, its count where that is `least` or more, and its places from left to right."""
        if not len(keys):
            return
        order = keys.argsort(kind="stable")
        keys, at = keys[order], at[order]
        starts = np.concatenate([[0], np.flatnonzero(keys[1:] != keys[:-1]) + 1])
        counts = np.add.reduceat(self.weight[at], starts)
        ends = np.append(starts[1:], len(at))
        for i in np.flatnonzero(counts >= least).tolist():
            yield int(keys[starts[i]]), int(counts[i]), at[starts[i] : ends[i]]

    def standing(self, left: int, right: int, at: Places) -> tuple[int, Places]:
        """The count of a pair, and those of its places where it still stands."""
        size = self._length[left]
        if len(at) <= FEW:
            head, weight = self._head, self._weight
            listed = at if isinstance(at, list) else at.tolist()
            places = [i for i in listed if head[i] == left and head[i + size] == right]
            return sum([weight[i] for i in places]), places
        at = np.asarray(at)
        at = at[(self.head[at] == left) & (self.head[at + size] == right)]
        return int(self.weight[at].sum()), at

    def merge(self, pair: tuple[int, int], new: int, at: Places, least: int) -> Iterator[Candidate]:
        """Puts the symbol `new` for a pair that stands at `at`; gives the pairs that come of it.

        It is done while they are taken: all of them have to be.
        """
        left, right = pair
        size = self._length[left]
        self._length[new] = size + self._length[right]
        if isinstance(at, list):
            return self._merge_few(new, size, _every_second(at, size) if left == right else at, least)
        return self._merge_many(new, size, _apart(at, size) if left == right else at, least)

    def _merge_few(self, new: int, size: int, at: list[int], least: int) -> Iterator[Candidate]:
        head, tail, weight, length = self._head, self._tail, self._weight, self._length
        whole = length[new]
        for i in at:
            head[i], head[i + size], tail[i + whole - 1] = new, GONE, new
        made: dict[tuple[int, int], list[int]] = {}
        for i in at:
            following, before = head[i + whole], tail[i - 1]
            if following != EDGE:
                made.setdefault((new, following), []).append(i)
            # two of the new symbol side by side were found from the first of them
            if before not in (EDGE, new):
                made.setdefault((before, new), []).append(i - length[before])
        for (left, right), places in made.items():
            count = sum([weight[i] for i in places])
            if count >= least:
                yield -count, left, right, places

    def _merge_many(self, new: int, size: int, at: Array, least: int) -> Iterator[Candidate]:
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


def _every_second(at: list[int], size: int) -> list[int]:
    """As `_apart`, of few places.

    >>> _every_second([0, 1, 2, 7], 1)
    [0, 2, 7]
    """
    chosen: list[int] = []
    for i in at:
        if not chosen or i != chosen[-1] + size:
            chosen.append(i)
    return chosen


def _apart(at: Array, size: int) -> Array:
    """Of places where a pair of equal symbols overlaps itself, as in `aaa`, every second, from the left."""
    follows = np.zeros(len(at), dtype=bool)
    follows[1:] = at[1:] == at[:-1] + size
    number = np.arange(len(at))
    start = np.maximum.accumulate(np.where(follows, 0, number))
    chosen: Array = at[(number - start) % 2 == 0]
    return chosen


def learn(words: Mapping[bytes, int], count: int, least: int = 1) -> list[tuple[int, int]]:
    """The first `count` merges of the words, as pairs of ids; merge i makes the id 256 + i.

    Fewer if no pair occurs `least` times any more. Ids below 256 are bytes, in the order of GPT-2.
    """
    text = _Text(words, len(ID) + count)
    heap = list(text.pairs(least))
    heapq.heapify(heap)
    merges: list[tuple[int, int]] = []
    while heap and len(merges) < count:
        bound, left, right, at = heap[0]
        found, at = text.standing(left, right, at)
        if found == -bound:
            heapq.heappop(heap)
            merges.append((left, right))
            for candidate in text.merge((left, right), len(ID) + len(merges) - 1, at, least):
                heapq.heappush(heap, candidate)
        elif found >= least:
            heapq.heapreplace(heap, (-found, left, right, at))
        else:
            heapq.heappop(heap)
    return merges


def replay(word: bytes, made: Mapping[tuple[int, int], int], most: int) -> Symbols:
    """One word after all of its merges: of the pairs that stand in it, the one learned first comes first.

    `made` gives the id that a pair becomes, always below `most`.
    """
    text = _Text({word: 1}, most)
    heap: list[Candidate] = []

    def enter(candidates: Iterable[Candidate]) -> None:
        for _, left, right, at in candidates:
            if (new := made.get((left, right))) is not None:
                heapq.heappush(heap, (new, left, right, at))

    enter(text.pairs(1))
    while heap:
        new, left, right, at = heapq.heappop(heap)
        found, at = text.standing(left, right, at)
        if found:
            enter(text.merge((left, right), new, at, 1))
    return text.head[text.head >= 0]
