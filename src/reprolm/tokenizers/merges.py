"""Learning byte-pair merges (Sennrich et al. 2016, arXiv:1508.07909): always the most frequent pair.

Ties go to the pair with the smaller ids. The result is that of counting all pairs anew for every merge; what
makes it fast is that two symbols become neighbours only when the later of them is made. So the places of a
pair are known from that moment on, in the *segment* of that symbol, and its count can only fall. Segments
keep their pairs sorted; a heap of their heads holds upper bounds; a pair is counted anew only at the top.
"""

import heapq
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from reprolm.tokenizers.bytelevel import BYTES

Array = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]
GAP, DEAD = -1, -2
"""What stands between words, and where a merge left nothing."""
SHIFT = 32


class _Segment:
    """The pairs that came to be with one symbol, the most frequent first, and the places of each."""

    def __init__(self, codes: Array, places: Places, weights: Array) -> None:
        order = np.argsort(codes, kind="stable")
        codes, self._places = codes[order], places[order]
        first = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]])) if len(codes) else codes
        self._codes, self._bounds = codes[first], np.append(first, len(codes))
        counts = np.add.reduceat(weights[order], first) if len(codes) else codes
        self._order = np.lexsort((self._codes, -counts))
        self._counts, self._head = counts[self._order], 0

    def head(self, least: int) -> tuple[int, int] | None:
        """Minus the count and the code of the next pair in line; None if no pair is that frequent."""
        if self._head == len(self._order) or self._counts[self._head] < least:
            return None
        at, self._head = self._head, self._head + 1
        return -int(self._counts[at]), int(self._codes[self._order[at]])

    def places(self, code: int) -> Places:
        """Where the pair was when it came to be."""
        at = int(np.searchsorted(self._codes, code))
        return self._places[self._bounds[at] : self._bounds[at + 1]]


class _Text:
    """All different words as one chain of symbols with links; merged places are skipped."""

    def __init__(self, words: Mapping[bytes, int]) -> None:
        rank = np.empty(256, dtype=np.int32)
        rank[np.frombuffer(BYTES, dtype=np.uint8)] = np.arange(256)
        sizes = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
        total = int(sizes.sum() + len(words) + 1)
        assert total < 2**31, "more different words than places"
        self.ids = np.full(total, GAP, dtype=np.int32)
        inside = np.ones(total, dtype=bool)
        inside[0] = False
        inside[np.cumsum(sizes + 1)] = False
        self.ids[inside] = rank[np.frombuffer(b"".join(words), dtype=np.uint8)]
        counts = np.fromiter(words.values(), dtype=np.int64, count=len(words))
        self._counts = np.concatenate([[0], counts])
        # place → its word, from 1; a gap belongs to the word before it
        self._word = np.zeros(total, dtype=np.int32)
        self._word[1:] = np.repeat(np.arange(1, len(words) + 1, dtype=np.int32), sizes + 1)
        self.next = np.arange(1, total + 1, dtype=np.int32)
        self.before = np.arange(-1, total - 1, dtype=np.int32)

    def weights(self, places: Places) -> Array:
        """How often the word of each place occurs."""
        result: Array = self._counts[self._word[places]]
        return result

    def segment(self, places: Places) -> _Segment:
        """The pairs that begin at the given places."""
        left, right = self.ids[places].astype(np.int64), self.ids[self.next[places]].astype(np.int64)
        return _Segment((left << SHIFT) | right, places, self.weights(places))

    def first(self) -> _Segment:
        """The pairs of bytes."""
        places = np.arange(1, len(self.ids) - 1, dtype=np.int32)
        return self.segment(places[(self.ids[1:-1] >= 0) & (self.ids[2:] >= 0)])

    def still(self, places: Places, code: int) -> Places:
        """Those of the places at which the pair still stands."""
        a, b = code >> SHIFT, code & (2**SHIFT - 1)
        places = places[self.ids[places] == a]
        standing: Places = places[self.ids[self.next[places]] == b]
        return standing

    def merge(self, places: Places, code: int, new: int) -> _Segment:
        """Puts a new symbol at the places of a pair; the pairs that come to be with it."""
        if code >> SHIFT == code & (2**SHIFT - 1):
            places = self._apart(np.sort(places))
        gone = self.next[places]
        after = self.next[gone]
        self.ids[places], self.ids[gone] = new, DEAD
        self.next[places], self.before[after] = after, places
        before = self.before[places]
        left = self.ids[before]
        # a neighbour that is new itself begins its own pair
        before = before[(left >= 0) & (left != new)]
        return self.segment(np.concatenate([before, places[self.ids[self.next[places]] >= 0]]))

    def _apart(self, places: Places) -> Places:
        """Of pairs that overlap, as in aaa, every second, from the left of each run."""
        follows = np.zeros(len(places), dtype=bool)
        follows[1:] = self.next[places[:-1]] == places[1:]
        number = np.arange(len(places))
        start = np.maximum.accumulate(np.where(follows, 0, number))
        chosen: Places = places[(number - start) % 2 == 0]
        return chosen


def learn(words: Mapping[bytes, int], count: int, least: int = 1) -> list[tuple[int, int]]:
    """The first `count` merges of the words, as pairs of ids; merge i makes the id 256 + i.

    Fewer if no pair occurs `least` times any more. Ids below 256 are bytes, in the order of GPT-2.
    """
    text = _Text(words)
    segments = [text.first()]
    heap: list[tuple[int, int, int]] = []

    def enter(number: int) -> None:
        head = segments[number].head(least)
        if head is not None:
            heapq.heappush(heap, (*head, number))

    enter(0)
    merges: list[tuple[int, int]] = []
    while heap and len(merges) < count:
        bound, code, number = heapq.heappop(heap)
        if number >= 0:
            enter(number)
        a, b = code >> SHIFT, code & (2**SHIFT - 1)
        made = max(a, b) - 255 if max(a, b) > 255 else 0
        places = text.still(segments[made].places(code), code)
        found = int(text.weights(places).sum())
        if found < -bound:
            if found >= least:
                heapq.heappush(heap, (-found, code, -1))
            continue
        merges.append((a, b))
        segments.append(text.merge(places, code, 255 + len(merges)))
        enter(len(segments) - 1)
    return merges
