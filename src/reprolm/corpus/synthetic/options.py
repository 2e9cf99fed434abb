"""A choice between texts with known probabilities, and two ways to make it: writing and reading."""

import bisect
import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from reprolm.errors import Exit, refuse

ONE = 1 << 32
Nats = npt.NDArray[np.float64]


class Options:
    """Texts of which none begins another, with probabilities that are multiples of 2^−32.

    So a draw compares whole numbers, and the same seed writes the same bytes on every machine. `nats[i]`
    holds −ln p of each byte of text i given the bytes before it: what is possible shrinks byte by byte.
    """

    def __init__(self, texts: Sequence[bytes | str], weights: Sequence[float] | Nats | None = None) -> None:
        self.texts = [text.encode() if isinstance(text, str) else text for text in texts]
        shares = np.ones(len(texts)) if weights is None else np.asarray(weights, dtype=np.float64)
        whole = np.floor(shares / shares.sum() * ONE).astype(np.int64).clip(min=1)
        whole[whole.argmax()] += ONE - whole.sum()
        self.p = whole / ONE
        self.cumulative: list[int] = np.cumsum(whole).tolist()
        self.nats = [self._along(text) for text in self.texts]
        self._single = (
            {text: i for i, text in enumerate(self.texts)} if set(map(len, self.texts)) == {1} else {}
        )

    def _along(self, text: bytes) -> list[float]:
        mass = [
            sum(p for other, p in zip(self.texts, self.p, strict=True) if other.startswith(text[:size]))
            for size in range(len(text) + 1)
        ]
        return [math.log(before / after) for before, after in itertools.pairwise(mass)]

    @property
    def entropy(self) -> float:
        """Expected −ln p of a text, in nats."""
        return -float((self.p * np.log(self.p)).sum())

    def at(self, document: bytes, offset: int) -> int:
        """Which text stands at an offset.

        Raises:
            ReprolmError: none does (exit 76).
        """
        if self._single:
            found = self._single.get(document[offset : offset + 1], -1)
        else:
            found = next((i for i, text in enumerate(self.texts) if document.startswith(text, offset)), -1)
        if found < 0:
            raise refuse("data/corpus", f"holds a document that its process cannot write, at offset {offset}",
                         got=repr(document[offset : offset + 20]), exit=Exit.INTEGRITY)  # fmt: skip
        return found


Choose = Callable[[Options], int]
"""Makes a choice, by lot or by looking, and says which."""


class Writer:
    """Chooses by lot: 32 random bits a choice."""

    def __init__(self, key: int) -> None:
        self._source = np.random.Philox(key=key)
        self._bits: list[int] = []
        self._parts: list[bytes] = []

    def bits(self) -> int:
        """32 random bits; the raw output of Philox never changes between versions of NumPy."""
        if not self._bits:
            self._bits = (self._source.random_raw(256) >> np.uint64(32)).tolist()
        return self._bits.pop()

    def choose(self, options: Options) -> int:
        """Draws a text and writes it."""
        chosen = bisect.bisect_right(options.cumulative, self.bits()) if len(options.texts) > 1 else 0
        self._parts.append(options.texts[chosen])
        return chosen

    def document(self) -> bytes:
        """What was written."""
        return b"".join(self._parts)


class Reader:
    """Chooses what stands there, and adds up its −ln p."""

    def __init__(self, document: bytes) -> None:
        self._document, self._offset = document, 0
        self._nats: list[float] = []

    def choose(self, options: Options) -> int:
        """Reads a text."""
        chosen = options.at(self._document, self._offset)
        self._offset += len(options.texts[chosen])
        self._nats += options.nats[chosen]
        return chosen

    def nats(self) -> Nats:
        """−ln p of each byte given those before it."""
        assert self._offset == len(self._document), "the process ends before the document"
        return np.array(self._nats, dtype=np.float64)
