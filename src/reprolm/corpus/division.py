"""Documents that stand in a corpus twice: exactly, or for the most part and in two splits."""

import bisect
from collections.abc import Iterator
from typing import Any

import numpy as np

from reprolm.corpus.config import DataConfig
from reprolm.corpus.hygiene import EXAMPLE_CHARACTERS, MOST_EXAMPLES
from reprolm.corpus.overlap import overlaps
from reprolm.corpus.read import SPLITS
from reprolm.corpus.split import by_document, by_position, repeated, unit
from reprolm.corpus.spool import Spool
from reprolm.errors import Problem

NEAR = 0.5
TRAIN = 0
Stretch = tuple[int, int, memoryview]
"""The number of a document as in the source, its split (0 train, 1 validation, 2 test), its text there."""


class Division:
    """What goes to which split, what is left out there, and what is reported of it."""

    def __init__(self, config: DataConfig, spool: Spool) -> None:
        self._config, self._spool = config, spool
        self.by = unit(config.split, spool.documents)
        self._borders = by_document(spool.records, config.split) if self.by == "document" else []
        self.duplicates, self._repeated = repeated(spool.digests, spool.documents)
        self._near = np.zeros(0, dtype=np.bool_)
        self._means: dict[str, float] = {}
        self._examples: list[dict[str, Any]] = []

    @property
    def refused(self) -> list[Problem]:
        """What was found until now and is to be refused."""
        hygiene, problems = self._config.hygiene, []
        if self.duplicates and hygiene.duplicates == "refuse":
            text = next(text for digest, text in self._spool.texts() if digest in self._repeated)
            got = f"{self.duplicates}, first {_start(text)!r}"
            want = "each document once, or data.hygiene.duplicates: repair"
            problems.append(Problem("data", "holds documents twice", got, want))
        if self.near and hygiene.near_duplicates == "refuse":
            got = f"{self.near}, first {self._examples[0]['text']!r}"
            what, want = "holds documents of which half stands in another split", "none, or data.hygiene."
            problems.append(Problem("data", what, got, f"{want}near_duplicates: repair"))
        return problems

    @property
    def documents(self) -> int:
        """How many documents are kept, in whole or, where they are cut, in part."""
        hygiene = self._config.hygiene
        kept = self._spool.documents - (self.duplicates if hygiene.duplicates == "repair" else 0)
        whole = self.by == "document" and hygiene.near_duplicates == "repair"
        return kept - (self.near if whole else 0)

    @property
    def near(self) -> int:
        """How many held-out documents stand in train by half or more."""
        return int(self._near.sum())

    def train(self) -> Iterator[memoryview]:
        """What is kept for training."""
        return (text for _, split, text in self._stretches() if split == TRAIN)

    def held_out(self) -> Iterator[tuple[int, memoryview]]:
        """What is kept for the other splits, each text with its split."""
        repaired = self._config.hygiene.near_duplicates == "repair"
        for place, (_, split, text) in enumerate(self._held_out()):
            if not (repaired and self._near[place]):
                yield split, text

    def compare(self, train: memoryview) -> None:
        """Finds the documents of validation and test of which at least half stands in train."""
        size = sum(len(text) for _, _, text in self._held_out())
        shares = overlaps((text for _, _, text in self._held_out()), train, size)
        self._near, splits = shares >= NEAR, np.zeros(len(shares), dtype=np.int8)
        for place, (number, split, text) in enumerate(self._held_out()):
            splits[place] = split
            if self._near[place] and len(self._examples) < MOST_EXAMPLES:
                shown = {
                    "document": number,
                    "share_in_train": float(shares[place]),
                    "text": _start(text),
                }
                self._examples.append(shown)
        told = [(name, shares[(splits == i) & ~np.isnan(shares)]) for i, name in enumerate(SPLITS)]
        self._means = {name: float(of.mean()) for name, of in told if len(of)}

    def report(self) -> dict[str, Any]:
        """Counts, mean shares of what stands in train, and examples."""
        return {
            "duplicates": self.duplicates,
            "near_duplicates": {
                "documents": self.near,
                "share_in_train": self._means,
                "examples": self._examples,
            },
        }

    def _held_out(self) -> Iterator[Stretch]:
        return (stretch for stretch in self._stretches() if stretch[1] != TRAIN)

    def _stretches(self) -> Iterator[Stretch]:
        """All that has text, in the order of the source; repeated documents once if that is the repair."""
        once = self._repeated if self._config.hygiene.duplicates == "repair" else set[bytes]()
        seen = set[bytes]()
        for number, (digest, text) in enumerate(self._spool.texts()):
            if digest in seen:
                continue
            if digest in once:
                seen.add(digest)
            if self.by == "document":
                yield number, bisect.bisect_right(self._borders, digest), text
                continue
            for split, part in enumerate(by_position(text, self._config.split)):
                if len(part):
                    yield number, split, part


def _start(text: memoryview) -> str:
    return bytes(text[: 4 * EXAMPLE_CHARACTERS]).decode("utf-8", "replace")[:EXAMPLE_CHARACTERS]
