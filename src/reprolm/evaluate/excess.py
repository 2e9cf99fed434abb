"""How far a model is above the best that its corpus allows, where that is known."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reprolm.config import section
from reprolm.corpus.read import Split
from reprolm.corpus.synthetic.config import SyntheticConfig
from reprolm.corpus.synthetic.source import process
from reprolm.errors import Exit, refuse
from reprolm.evaluate.loss import Scored
from reprolm.store import read_json

LARGEST_LEAK_ERRORS = 4.0


def oracle(corpus: Path, split: Split) -> "NDArray[np.float64] | None":
    """−ln p of each byte of a split under the process that wrote it; None for text of any other source."""
    facts = read_json(corpus / "corpus.json").get("synthetic")
    if facts is None:
        return None
    known = process(section({"data.synthetic": facts}, "data.synthetic", SyntheticConfig))
    return np.concatenate([known.nats(document) for document in split.documents()])


@dataclass
class Excess:
    """The model's nats minus the oracle's, on the very same text; windows are the sampling unit.

    The oracle knows the document up to each byte, and the process. Tokens that stand for no text (ends of
    documents) are left out on both sides. `sizes` are the bytes of each token of the text.
    """

    sizes: NDArray[np.int64]
    nats: NDArray[np.float64]
    _differences: list[float] = field(default_factory=list)
    _tokens: int = 0
    _oracle: float = 0.0

    def __post_init__(self) -> None:
        self._ends = np.cumsum(self.sizes)
        self._sums = np.concatenate([[0.0], np.cumsum(self.nats)])

    def add(self, part: Scored) -> None:
        """Adds targets."""
        ends, sizes = self._ends[part.at], self.sizes[part.at]
        known = self._sums[ends] - self._sums[ends - sizes]
        text = sizes > 0
        difference = np.where(text, part.nats - known, 0.0)
        self._differences += np.bincount(part.window, weights=difference).tolist()
        self._tokens += int(text.sum())
        self._oracle += float(known[text].sum())

    def summary(self) -> dict[str, float]:
        """Nats a token of text: the floor, the excess over it with its standard error; and bits per byte.

        Raises:
            ReprolmError: the model is below the floor by more than four standard errors: it has seen what it
                should predict (exit 76).
        """
        differences, tokens = np.array(self._differences), self._tokens
        excess = float(differences.sum()) / tokens
        error = float(differences.std(ddof=1)) * math.sqrt(len(differences)) / tokens
        floor = self._oracle / tokens
        if excess < -LARGEST_LEAK_ERRORS * error:
            what = "the model is better than the process that wrote the text: it sees what it predicts"
            got, want = f"{floor + excess:.4f} nats a token", f"at least the floor {floor:.4f} ± {error:.4f}"
            raise refuse("evaluate", what, got=got, want=want, exit=Exit.INTEGRITY)
        bytes_per_token = len(self.nats) / tokens
        return {
            "floor_nats": floor,
            "nats": excess,
            "standard_error": error,
            "bits_per_byte": excess / (math.log(2) * bytes_per_token),
        }
