"""Splitting into train, validation and test, before anything learns from the text."""

import itertools
from typing import Literal

import numpy as np
import numpy.typing as npt

from reprolm.corpus.config import SplitConfig
from reprolm.corpus.text import Text

FEW_DOCUMENTS = 20
DIGEST_BYTES = 32


def unit(config: SplitConfig, documents: int) -> Literal["document", "position"]:
    """What is kept whole: `auto` divides the documents themselves if they are few."""
    if config.by != "auto":
        return config.by
    return "position" if documents < FEW_DOCUMENTS else "document"


def by_document(
    digests: bytes, sizes: npt.NDArray[np.uint64], config: SplitConfig
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """The split of each document (0 train, 1 validation, 2 test), and whether it repeats an earlier one.

    Documents are lined up by the sha256 of their content, equal ones as one; a document goes to the split in
    whose share of the bytes its middle lies. So the order of files changes nothing, and no text is in two
    splits.
    """
    keys = np.frombuffer(digests, dtype=">u8").reshape(-1, DIGEST_BYTES // 8)
    order = np.lexsort(keys.T[::-1])  # stable: equal documents stay in the order of the source
    first = np.ones(len(order), dtype=bool)
    first[1:] = (keys[order][1:] != keys[order][:-1]).any(axis=1)
    group = np.cumsum(first) - 1
    weights = np.bincount(group, weights=sizes[order])
    middles = (np.cumsum(weights) - weights / 2) / weights.sum()
    bounds = [config.train, config.train + config.validation]
    result, repeats = np.empty(len(order), dtype=np.intp), np.empty(len(order), dtype=bool)
    result[order] = np.searchsorted(bounds, middles, side="right")[group]
    repeats[order] = ~first
    return result, repeats


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
