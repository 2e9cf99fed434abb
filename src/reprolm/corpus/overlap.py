"""How much of one text stands in another: passages compared by hashes, in bounded memory."""

import array
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np
import numpy.typing as npt

from reprolm.corpus.text import FORGET_BYTES, forget

PASSAGE_BYTES = 64
CHUNK_BYTES = 1 << 17
PIECE_BYTES = 1 << 20
MOST_HASHES = 1 << 21
AT_ONCE, SIEVE_BITS = 1 << 16, 22
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


def overlaps(
    documents: Iterable[memoryview], others: memoryview, total_bytes: int
) -> npt.NDArray[np.float64]:
    """For each document the share of its passages that stand in `others`; NaN if it has too few to tell.

    `total_bytes` is the size of all documents: with more than two million passages only every 2nd, 4th, … by
    its hash is looked at. Hashes wait on disk and are compared by parts, so that memory does not grow.
    """
    sample, counts = 16, array.array("I")
    while total_bytes // sample > MOST_HASHES:
        sample *= 2
    with tempfile.TemporaryFile() as held, tempfile.TemporaryFile() as known:
        for document in documents:
            counts.append(0)
            for hashes in _sampled(document, sample):
                held.write(hashes.tobytes())
                counts[-1] += len(hashes)
        whole = np.frombuffer(counts, dtype=np.uintc)
        for hashes in _hashes(others, sample) if whole.any() else ():
            known.write(hashes.tobytes())
        found, ends = np.zeros(len(whole), dtype=np.uintc), np.cumsum(whole, dtype=np.int64)
        for part, hashes in enumerate(_read(held)):
            owners = np.searchsorted(ends, part * AT_ONCE + np.flatnonzero(_present(hashes, known)), "right")
            np.add.at(found, owners, 1)
    return np.where(whole >= FEWEST, found / np.maximum(whole, 1), np.nan)


def _sampled(text: memoryview, sample: int) -> Iterator[Hashes]:
    """The different hashes of each MiB that are multiples of `sample`: the content decides which."""
    for start in range(0, max(len(text), 1), PIECE_BYTES):
        piece = text[start : start + PIECE_BYTES + PASSAGE_BYTES - 1]
        yield np.unique(np.concatenate([np.empty(0, dtype=np.uint64), *_hashes(piece, sample)]))
        if start:
            forget(text)


def _hashes(text: memoryview, sample: int) -> Iterator[Hashes]:
    mask = np.uint64(sample - 1)
    for start in range(0, len(text), CHUNK_BYTES):
        hashes = passage_hashes(text[start : start + CHUNK_BYTES + PASSAGE_BYTES - 1])
        yield hashes[hashes & mask == 0]
        if start and start % FORGET_BYTES == 0:
            forget(text)


def _read(file: IO[bytes]) -> Iterator[Hashes]:
    """The hashes in a file, some at once."""
    file.seek(0)
    while content := file.read(8 * AT_ONCE):
        yield np.frombuffer(content, dtype=np.uint64)


def _present(hashes: Hashes, known: IO[bytes]) -> npt.NDArray[np.bool_]:
    """Which of the hashes are among those in the file `known`."""
    wanted, places = np.unique(hashes, return_inverse=True)
    shift = np.uint64(64 - SIEVE_BITS)
    # nearly all others are told by their first bits, without a search
    sieve = np.zeros(1 << SIEVE_BITS, dtype=bool)
    sieve[wanted >> shift] = True
    present = np.zeros(len(wanted), dtype=bool)
    for others in _read(known):
        likely = others[sieve[others >> shift]]
        at = np.searchsorted(wanted, likely).clip(max=len(wanted) - 1)
        present[at[wanted[at] == likely]] = True
    return present[places]
