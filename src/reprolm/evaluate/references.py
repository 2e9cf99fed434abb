"""What simple predictors reach on the same text: lines that a model's bits per byte is read against."""

import gzip
import lzma
import math

import numpy as np
from numpy.typing import NDArray

from reprolm.data.shards import Tokens

CHUNK_TOKENS = 1 << 22
DISCOUNT = 0.75


def uniform_nats(vocab_size: int, targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """ln V for each target."""
    return np.full(len(targets), math.log(vocab_size))


class Bigram:
    """Token pairs counted on the training split.

    p(w) = (c(w) + 1) / (N + V); p(w | v) = max(c(v w) − d, 0) / c(v) + d · n(v) / c(v) · p(w), with n(v) the
    number of different successors of v and d = 0.75 (absolute discounting: Ney, Essen & Kneser 1994).
    """

    def __init__(self, training: Tokens) -> None:
        V = self.vocab_size = training.vocab_size
        self._counts = np.zeros(V, np.int64)
        pairs: NDArray[np.int64] = np.zeros(0, np.int64)
        times: NDArray[np.int64] = np.zeros(0, np.int64)
        for start in range(0, len(training), CHUNK_TOKENS):
            tokens = training[start : start + CHUNK_TOKENS + 1]
            self._counts += np.bincount(tokens[:CHUNK_TOKENS], minlength=V)
            new, counts = np.unique(tokens[:-1] * V + tokens[1:], return_counts=True)
            pairs, times = _merged(pairs, times, new, counts)
        self._pairs, self._times = pairs, times
        self._successors = np.bincount(pairs // V, minlength=V)
        self._followed = np.bincount(pairs // V, weights=times, minlength=V)

    def unigram_nats(self, targets: NDArray[np.int64]) -> NDArray[np.float64]:
        """−ln p(w) of each target."""
        return -np.log(self._unigram(targets))

    def nats(self, before: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.float64]:
        """−ln p(w | v) of each target w after the token v before it."""
        codes = before * self.vocab_size + targets
        at = np.searchsorted(self._pairs, codes).clip(max=len(self._pairs) - 1)
        times = np.where(self._pairs[at] == codes, self._times[at], 0)
        followed = self._followed[before]
        unigram = self._unigram(targets)
        seen = np.maximum(followed, 1)
        smoothed = (
            np.maximum(times - DISCOUNT, 0) / seen + DISCOUNT * self._successors[before] / seen * unigram
        )
        return -np.log(np.where(followed > 0, smoothed, unigram))

    def _unigram(self, targets: NDArray[np.int64]) -> NDArray[np.float64]:
        share: NDArray[np.float64] = (self._counts[targets] + 1) / (self._counts.sum() + self.vocab_size)
        return share


def _merged(
    pairs: NDArray[np.int64], times: NDArray[np.int64], new: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Adds counts of sorted pairs to others."""
    both, where = np.unique(np.concatenate([pairs, new]), return_inverse=True)
    return both, np.bincount(where, weights=np.concatenate([times, counts])).astype(np.int64)


def compressed_bits_per_byte(text: bytes) -> dict[str, float]:
    """Size after compression of the split alone, in bits per byte of text; gzip -9 and xz -9e."""
    packed = {
        "gzip": len(gzip.compress(text, 9, mtime=0)),
        "xz": len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME)),
    }
    return {name: 8 * size / len(text) for name, size in packed.items()}
