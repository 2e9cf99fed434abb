"""Applying merges to a word: always the earliest learned first."""

import heapq
import itertools
from collections.abc import Sequence

from reprolm.tokenizers.bytelevel import BYTES

SHORT = 48
_ID = {byte: number for number, byte in enumerate(BYTES)}


class Merges:
    """Words to ids, by merges in the order in which they were learned."""

    def __init__(self, merges: Sequence[tuple[int, int]]) -> None:
        self._made = {pair: 256 + number for number, pair in enumerate(merges)}

    def ids(self, word: bytes) -> list[int]:
        """The ids of a word."""
        ids = [_ID[byte] for byte in word]
        return self._scanned(ids) if len(ids) <= SHORT else self._queued(ids)

    def _scanned(self, ids: list[int]) -> list[int]:
        """Looks at all pairs for each merge: quickest for short words."""
        made = self._made
        while True:
            # the id of a merge is its rank
            best = min((made[pair] for pair in itertools.pairwise(ids) if pair in made), default=0)
            if not best:
                return ids
            merged, at = [], 0
            while at < len(ids):
                if at + 1 < len(ids) and made.get((ids[at], ids[at + 1])) == best:
                    merged.append(best)
                    at += 2
                else:
                    merged.append(ids[at])
                    at += 1
            ids = merged

    def _queued(self, ids: list[int]) -> list[int]:
        """Keeps a queue of pairs: n log n for words of any length."""
        made, after, before = self._made, [*range(1, len(ids)), -1], [*range(-1, len(ids) - 1)]
        queue = [(made[p], at) for at, p in enumerate(itertools.pairwise(ids)) if p in made]
        heapq.heapify(queue)
        while queue:
            new, at = heapq.heappop(queue)
            right = after[at]
            if ids[at] < 0 or right < 0 or made.get((ids[at], ids[right])) != new:
                continue
            ids[at], ids[right] = new, -1
            after[at] = after[right]
            if after[at] >= 0:
                before[after[at]] = at
                if (pair := (new, ids[after[at]])) in made:
                    heapq.heappush(queue, (made[pair], at))
            if before[at] >= 0 and (pair := (ids[before[at]], new)) in made:
                heapq.heappush(queue, (made[pair], before[at]))
        return [number for number in ids if number >= 0]
