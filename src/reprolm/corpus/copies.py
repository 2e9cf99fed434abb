"""Documents that stand in a corpus twice: exactly, or for the most part and in two splits."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from reprolm.corpus.config import HygieneConfig
from reprolm.corpus.overlap import overlaps
from reprolm.errors import refuse

NEAR = 0.5
MOST_EXAMPLES, EXAMPLE_CHARACTERS = 3, 60


class Copies:
    """Which documents are left out, and what is reported of them; documents are numbered as in the source."""

    def __init__(self, config: HygieneConfig, repeats: npt.NDArray[np.bool_]) -> None:
        self._config, self._repeats = config, repeats
        self.duplicates = int(repeats.sum())
        self.near: dict[int, float] = {}
        self._shares: dict[int, list[float]] = {1: [], 2: []}
        self._examples: list[dict[str, Any]] = []
        if self.duplicates and config.duplicates == "refuse":
            raise refuse("data", "holds documents twice", got=self.duplicates, want="each document once, or "
                         "data.hygiene.duplicates: repair")  # fmt: skip

    def without_repeats(self, documents: Iterable[memoryview]) -> Iterator[memoryview]:
        """The documents, repeated ones left out if that is the repair."""
        drop = self._config.duplicates == "repair"
        return (d for d, repeat in zip(documents, self._repeats, strict=True) if not (drop and repeat))

    def kept(
        self, documents: Iterable[memoryview], assigned: npt.NDArray[np.intp]
    ) -> Iterator[tuple[memoryview, int]]:
        """The documents that are kept, each with its split."""
        repeats = self._repeats & (self._config.duplicates == "repair")
        near = self.near if self._config.near_duplicates == "repair" else {}
        for number, (document, split) in enumerate(zip(documents, assigned.tolist(), strict=True)):
            if not repeats[number] and number not in near:
                yield document, split

    def compare(
        self, documents: Iterable[memoryview], assigned: npt.NDArray[np.intp], train: memoryview
    ) -> None:
        """Finds the documents of validation and test of which at least half stands in train.

        Raises:
            ReprolmError: there are some, and they are to be refused (exit 65).
        """
        held = [(n, d) for n, d in enumerate(documents) if assigned[n]]
        shares = overlaps([document for _, document in held], train, sum(len(d) for _, d in held))
        for (number, document), share in zip(held, shares.tolist(), strict=True):
            if np.isnan(share):
                continue
            self._shares[int(assigned[number])].append(share)
            if share >= NEAR:
                self.near[number] = share
                if len(self._examples) < MOST_EXAMPLES:
                    text = bytes(document[: 4 * EXAMPLE_CHARACTERS]).decode("utf-8", "replace")
                    shown = {"document": number, "share_in_train": share, "text": text[:EXAMPLE_CHARACTERS]}
                    self._examples.append(shown)
        if self.near and self._config.near_duplicates == "refuse":
            raise refuse("data", "holds documents of which half stands in another split", got=len(self.near),
                         want="none, or data.hygiene.near_duplicates: repair")  # fmt: skip

    def report(self) -> dict[str, Any]:
        """Counts, mean shares of what stands in train, and examples."""
        names = {1: "validation", 2: "test"}
        means = {names[split]: float(np.mean(found)) for split, found in self._shares.items() if found}
        return {
            "duplicates": self.duplicates,
            "near_duplicates": {
                "documents": len(self.near),
                "share_in_train": means,
                "examples": self._examples,
            },
        }
