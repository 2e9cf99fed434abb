"""A choice between texts with known probabilities, and two ways to make it: writing and reading."""

import bisect
import functools
import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from reprolm.errors import Exit, refuse

ONE = 1 << 32
Nats = npt.NDArray[np.float64]


class Options:
    """Texts of which none begins another, with probabilities that are multiples of 2^−32.

    So a draw compares whole numbers: where the weights are the same, so is what is written.
    """

    def __init__(self, texts: Sequence[bytes | str], weights: Sequence[float] | None = None) -> None:
        self.texts = [text.encode() if isinstance(text, str) else text for text in texts]
        shares = [1.0] * len(texts) if weights is None else weights
        total = math.fsum(shares)
        self._whole = [max(1, int(share / total * ONE)) for share in shares]
        self._whole[self._whole.index(max(self._whole))] += ONE - sum(self._whole)
        self.cumulative = list(itertools.accumulate(self._whole))
        symbols = all(len(text) == 1 for text in self.texts)
        self._symbols = {text: i for i, text in enumerate(self.texts)} if symbols else {}

    @functools.cached_property
    def p(self) -> Nats:
        """The probability of each text."""
        return np.array(self._whole, dtype=np.float64) / ONE

    @functools.cached_property
    def entropy(self) -> float:
        """Expected −ln p of a text, in nats."""
        return -float((self.p * np.log(self.p)).sum())

    @functools.cached_property
    def _along(self) -> list[list[float]]:
        """What is possible shrinks byte by byte: p of a byte is the mass left after it over that before."""
        if len(self.texts) == 1:
            return [[0.0] * len(self.texts[0])]
        mass: Counter[bytes] = Counter()
        for text, whole in zip(self.texts, self._whole, strict=True):
            mass.update({text[:size]: whole for size in range(len(text) + 1)})
        return [
            [math.log(mass[text[:size]] / mass[text[: size + 1]]) for size in range(len(text))]
            for text in self.texts
        ]

    def nats(self, index: int) -> list[float]:
        """−ln p of each byte of a text given the bytes before it."""
        return [math.log(ONE / self._whole[index])] if self._symbols else self._along[index]

    def at(self, document: bytes, offset: int) -> int | None:
        """Which text stands at an offset, or begins there and is cut off by the end of the document."""
        if self._symbols:
            return self._symbols.get(document[offset : offset + 1])
        rest = len(document) - offset
        matching = (i for i, text in enumerate(self.texts) if document.startswith(text[:rest], offset))
        return next(matching, None)


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


class End(Exception):  # noqa: N818 - it is no error
    """A reader has come to the end of what there is to read."""


class Reader:
    """Chooses what stands there, and adds up its −ln p."""

    def __init__(self, document: bytes) -> None:
        self._document, self._offset = document, 0
        self._nats: list[float] = []

    def choose(self, options: Options) -> int:
        """Reads a text.

        Raises:
            End: nothing is left.
            ReprolmError: something else stands there (exit 76).
        """
        if self._offset >= len(self._document):
            raise End
        chosen = options.at(self._document, self._offset)
        if chosen is None:
            raise foreign(self._document, self._offset)
        self._offset += len(options.texts[chosen])
        self._nats += options.nats(chosen)
        return chosen

    def nats(self) -> Nats:
        """−ln p of each byte given those before it.

        Raises:
            ReprolmError: the document goes on where the process ends (exit 76).
        """
        if self._offset < len(self._document):
            raise foreign(self._document, self._offset)
        return np.array(self._nats[: len(self._document)], dtype=np.float64)


def foreign(document: bytes, offset: int) -> Exception:
    """The error for a text that a process cannot write."""
    what = f"holds a document that its process cannot write, at offset {offset}"
    return refuse("data/corpus", what, got=repr(document[offset : offset + 20]), exit=Exit.INTEGRITY)
