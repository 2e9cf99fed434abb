"""What every process can do: write documents, score them exactly, and state the entropy of its text."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from reprolm.corpus.synthetic.options import Choose, Nats, Options, Reader, Writer
from reprolm.seeds import stream

SYMBOLS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
"""One byte each, so that a character is a symbol."""
SAMPLED_DOCUMENTS = 512


@dataclass(frozen=True)
class Floor:
    """The expected −ln p of a symbol (a byte) in a document, given the document before it.

    No model that reads the text from left to right is expected to do better. The standard error is 0 where
    the number is exact, else that of an average over documents scored exactly.
    """

    nats_per_symbol: float
    standard_error: float = 0.0

    @property
    def bits_per_byte(self) -> float:
        """The same in bits; a symbol is a byte."""
        return self.nats_per_symbol / math.log(2)


class Process(ABC):
    """A source of documents with known probabilities."""

    @abstractmethod
    def document(self, key: int) -> bytes:
        """The document that a random stream writes."""

    @abstractmethod
    def nats(self, document: bytes) -> Nats:
        """−ln p of each byte of a document given those before it."""

    def floor(self) -> Floor:
        """The entropy; here by scoring 512 documents of its own, for want of a formula."""
        documents = [self.document(stream(0, "floor", i)) for i in range(SAMPLED_DOCUMENTS)]
        sums = np.array([self.nats(document).sum() for document in documents])
        sizes = np.array([len(document) for document in documents])
        mean = float(sums.sum() / sizes.sum())
        # of a ratio, by the delta method
        error = float((sums - mean * sizes).std(ddof=1) / (sizes.mean() * math.sqrt(len(sizes))))
        return Floor(mean, error)


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
        """−ln p of each byte of a document given those before it."""
        reader = Reader(document)
        self.walk(reader.choose)
        return reader.nats()


def symbols(count: int, weights: "Nats | None" = None) -> Options:
    """A choice between the first `count` symbols."""
    return Options(list(SYMBOLS[:count]), weights)
