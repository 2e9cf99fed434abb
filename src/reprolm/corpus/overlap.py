"""How much of one text stands in another: passages compared by hashes, in bounded memory."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from reprolm.corpus.text import forget

PASSAGE_BYTES = 64
CHUNK_BYTES = 1 << 20
MOST_HASHES = 1 << 21
FEWEST = 3
"""Of fewer passages no share is told."""
_BASE = 0x9E3779B97F4A7C15 | 1
Hashes = npt.NDArray[np.uint64]


def _powers(count: int, base: int) -> Hashes:
    result = np.full(count, base, dtype=np.uint64)
    result[0] = 1
    return np.multiply.accumulate(result)  # wraps, as it must


_UP = _powers(CHUNK_BYTES + PASSAGE_BYTES + 1, _BASE)
_DOWN = _powers(CHUNK_BYTES + PASSAGE_BYTES + 1, pow(_BASE, -1, 1 << 64))


def passage_hashes(text: bytes | memoryview) -> Hashes:
    """A hash of each passage of 64 bytes, wherever it begins, of a text of at most a MiB and 64 bytes.

    With the prefix sums S of byte_i · b^(−i), the hash of a passage at i is (S[i + 64] − S[i]) · b^i modulo
    2^64: the polynomial hash of Karp & Rabin 1987, for all places at once. The high bits are mixed down,
    since the low bits of such a product are weak.
    """
    values = np.frombuffer(text, dtype=np.uint8).astype(np.uint64) + 1
    count = len(values) - PASSAGE_BYTES + 1
    if count <= 0:
        return np.empty(0, dtype=np.uint64)
    sums = np.zeros(len(values) + 1, dtype=np.uint64)
    np.cumsum(values * _DOWN[: len(values)], out=sums[1:])
    hashes = (sums[PASSAGE_BYTES:] - sums[:count]) * _UP[:count]
    hashes ^= hashes >> np.uint64(32)
    hashes *= np.uint64(0xD6E8FEB86659FD93)
    hashes ^= hashes >> np.uint64(32)
    return hashes


def _sampled(text: memoryview, sample: int) -> Hashes:
    """The different hashes of a text that are multiples of `sample`: its content decides which."""
    found = [np.empty(0, dtype=np.uint64)]
    for start in range(0, len(text), CHUNK_BYTES):
        hashes = passage_hashes(text[start : start + CHUNK_BYTES + PASSAGE_BYTES - 1])
        found.append(hashes[hashes % np.uint64(sample) == 0])
    return np.unique(np.concatenate(found))


def overlaps(
    documents: Iterable[memoryview], others: memoryview, total_bytes: int
) -> npt.NDArray[np.float64]:
    """For each document the share of its passages that stand in `others`; NaN if it has too few to tell.

    `total_bytes` is the size of all documents: with more than two million passages only every 2nd, 4th, … by
    its hash is looked at, so that memory is bounded.
    """
    sample = 16
    while total_bytes // sample > MOST_HASHES:
        sample *= 2
    each = [_sampled(document, sample) for document in documents]
    known = np.unique(np.concatenate(each)) if each else np.empty(0, dtype=np.uint64)
    present = np.zeros(len(known), dtype=bool)
    for start in range(0, len(others) if len(known) else 0, CHUNK_BYTES):
        hashes = passage_hashes(others[start : start + CHUNK_BYTES + PASSAGE_BYTES - 1])
        hashes = hashes[hashes % np.uint64(sample) == 0]
        at = np.searchsorted(known, hashes).clip(max=len(known) - 1)
        present[at[known[at] == hashes]] = True
        forget(others)
    shares = [
        present[np.searchsorted(known, hashes)].mean() if len(hashes) >= FEWEST else np.nan for hashes in each
    ]
    return np.array(shares, dtype=np.float64)
