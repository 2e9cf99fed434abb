"""Splitting into train, validation and test, before anything learns from the text."""

import itertools
from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

from reprolm.corpus.config import FEW_DOCUMENTS, SplitConfig
from reprolm.corpus.text import Text

DIGEST_BYTES = 32
BUCKETS = 1 << 16
AT_ONCE, MOST_PASSES = 1 << 14, 64


def unit(config: SplitConfig, documents: int) -> Literal["document", "position"]:
    """What is kept whole: `auto` divides the documents themselves if they are few."""
    if config.by != "auto":
        return config.by
    return "position" if documents < FEW_DOCUMENTS else "document"


def by_document(records: Callable[[], Iterable[tuple[bytes, int]]], config: SplitConfig) -> list[bytes]:
    """The sha256 from which on documents are validation, and that from which on they are test.

    `records` gives the sha256 and the size of each document, as often as it is called. Documents are lined up
    by the sha256 of their content, equal ones as one; a document goes to the split in whose share of the
    bytes its middle lies. So the order of files changes nothing, and no text is in two splits. Nothing is
    sorted but the documents around the two borders, so that memory does not grow with their number.
    """
    weights = [0] * BUCKETS
    for digest, size in records():
        weights[_bucket(digest)] += size
    sums = [0, *itertools.accumulate(weights)]
    shares = (config.train, config.train + config.validation)
    borders = [next(i for i in range(BUCKETS) if sums[i + 1] / sums[-1] >= share) for share in shares]
    around: dict[int, dict[bytes, int]] = {border: {} for border in borders}
    for digest, size in records():
        if (bucket := around.get(_bucket(digest))) is not None:
            bucket[digest] = bucket.get(digest, 0) + size
    return [
        _first_behind(share, around[border], border, (sums[border], sums[-1]))
        for border, share in zip(borders, shares, strict=True)
    ]


def _bucket(digest: bytes) -> int:
    return digest[0] << 8 | digest[1]


def _first_behind(share: float, sizes: dict[bytes, int], border: int, sums: tuple[int, int]) -> bytes:
    """The first digest from the bucket `border` on whose middle lies behind the share."""
    before, whole = sums
    for digest, size in sorted(sizes.items()):
        if (before + size / 2) / whole >= share:
            return digest
        before += size
    # where the next bucket begins; behind the last, what no text has
    return min((border + 1) << 240, (1 << 256) - 1).to_bytes(DIGEST_BYTES)


def repeated(
    digests: Callable[[], Iterable[npt.NDArray[np.uint64]]], documents: int
) -> tuple[int, set[bytes]]:
    """How many documents repeat an earlier one exactly, and the sha256 of those that are repeated.

    `digests` gives all of them, as four numbers each, as often as it is called: they are compared in parts,
    so that memory does not grow with a million documents.
    """
    parts = np.uint64(min(MOST_PASSES, 1 + documents // AT_ONCE))
    count, found = 0, set[bytes]()
    for part in range(int(parts)):
        keys = np.concatenate([block[block[:, 0] % parts == part] for block in digests()])
        keys = keys[np.lexsort(keys.T)]
        again = keys[1:][(keys[1:] == keys[:-1]).all(axis=1)]
        count += len(again)
        found |= {key.astype(">u8").tobytes() for key in again}
    return count, found


def by_position(document: Text, config: SplitConfig) -> list[memoryview]:
    """A document cut at the shares of its bytes, moved back to the start of a character;
    nothing is lost, and a part may be empty.
    """
    view = memoryview(document)
    size = len(view)
    bounds = (0, int(size * config.train), size - int(size * config.test), size)
    cuts = [_character_start(view, bound) for bound in bounds]
    return [view[start:end] for start, end in itertools.pairwise(cuts)]


def _character_start(view: memoryview, at: int) -> int:
    while 0 < at < len(view) and view[at] & 0b1100_0000 == 0b1000_0000:
        at -= 1
    return at
