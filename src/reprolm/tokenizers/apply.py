"""Applying merges to a word: always the earliest learned first."""

import itertools
from collections.abc import Sequence

from reprolm.tokenizers.merges import ID, replay

LONG_BYTES = 1024
"""A longer word is merged by arrays: what suits short words takes time with the square of their length."""
NEVER = 1 << 31
_IDS = bytes(ID.tolist())


class Merges:
    """Words to ids, by merges in the order in which they were learned."""

    def __init__(self, merges: Sequence[tuple[int, int]]) -> None:
        # the id of a merge is its rank
        self._made = {pair: len(ID) + number for number, pair in enumerate(merges)}

    def ids(self, word: bytes) -> list[int]:
        """The ids of a word."""
        return self._short(word) if len(word) <= LONG_BYTES else self._long(word)

    def _short(self, word: bytes) -> list[int]:
        """Keeps what each pair of neighbours would become."""
        ids, find = list(word.translate(_IDS)), self._made.get
        made = [find(pair, NEVER) for pair in itertools.pairwise(ids)]
        while made and (new := min(made)) != NEVER:
            at = made.index(new)
            ids[at : at + 2] = [new]
            del made[at]
            if at:
                made[at - 1] = find((ids[at - 1], new), NEVER)
            if at < len(made):
                made[at] = find((new, ids[at + 1]), NEVER)
        return ids

    def _long(self, word: bytes) -> list[int]:
        ids: list[int] = replay(word, self._made, len(ID) + len(self._made)).tolist()
        return ids
