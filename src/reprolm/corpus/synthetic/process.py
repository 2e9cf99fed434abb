"""What every process can do: write documents, score them exactly, and state the entropy of its text."""

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reprolm.corpus.synthetic.options import Choose, End, Nats, Options, Reader, Writer
from reprolm.seeds import stream

SYMBOLS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
"""One byte each, so that a character is a symbol."""
FEWEST_SAMPLED, MOST_SAMPLED, SAMPLED_BYTES = 8, 512, 1 << 17


@dataclass(frozen=True)
class Floor:
    """The entropy of a document, and the symbols (bytes) that it has on average.

    `nats_per_symbol` is the expected −ln p of a symbol given its document before it, over whole documents:
    the first symbols, which nothing helps to predict, count as well. Where a document ends is certain from
    its text, so that a token for it costs nothing. No model that reads from left to right is expected to do
    better; one whose window cuts documents cannot always come so near. `standard_error`, of
    `nats_per_symbol`, is 0 where the number is exact, else that of an average over documents that are scored
    exactly.
    """

    nats: float
    symbols: float
    standard_error: float = 0.0

    @property
    def nats_per_symbol(self) -> float:
        """Nats a byte."""
        return self.nats / self.symbols

    @property
    def bits_per_byte(self) -> float:
        """The same in bits."""
        return self.nats_per_symbol / math.log(2)


class Process(ABC):
    """A source of documents with known probabilities.

    It is `stationary` where any stretch of a document is distributed as if a document began there, so that
    `nats` also scores a stretch for those who see nothing before it.
    """

    stationary: ClassVar[bool] = False

    @abstractmethod
    def document(self, key: int) -> bytes:
        """The document that a random stream writes."""

    @abstractmethod
    def nats(self, document: bytes) -> Nats:
        """−ln p of each byte of a document, or of its beginning, given those before it.

        Raises:
            ReprolmError: this process cannot have written it (exit 76).
        """

    def floor(self) -> Floor:
        """The entropy; here by scoring documents of its own, for want of a formula."""
        keys = (stream(0, "floor", i) for i in range(MOST_SAMPLED))
        sums, sizes = [], []
        for key in keys:
            document = self.document(key)
            sums.append(float(self.nats(document).sum()))
            sizes.append(len(document))
            if len(sizes) >= FEWEST_SAMPLED and sum(sizes) >= SAMPLED_BYTES:
                break
        mean = math.fsum(sums) / sum(sizes)
        # of a ratio, by the delta method
        apart = np.array(sums) - mean * np.array(sizes)
        error = float(apart.std(ddof=1)) * math.sqrt(len(sizes)) / sum(sizes)
        return Floor(math.fsum(sums) / len(sums), sum(sizes) / len(sizes), error)


class Walk(Process):
    """A process that is a walk through choices: the same steps write a document and score it."""

    @abstractmethod
    def walk(self, choose: Choose) -> None:
        """Makes all choices of one document."""

    def document(self, key: int) -> bytes:
        """The document that a random stream writes."""
        writer = Writer(key)
        self.walk(writer.choose)
        return writer.document()

    def nats(self, document: bytes) -> Nats:
        """−ln p of each byte of a document, or of its beginning, given those before it."""
        reader = Reader(document)
        with contextlib.suppress(End):
            self.walk(reader.choose)
        return reader.nats()


def symbols(count: int, weights: Sequence[float] | None = None) -> Options:
    """A choice between the first `count` symbols."""
    return Options(list(SYMBOLS[:count]), weights)
