"""How far a model is above the best that its corpus allows, where that is known."""

import itertools
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reprolm.config import section
from reprolm.corpus.read import Split
from reprolm.corpus.synthetic.config import SyntheticConfig
from reprolm.corpus.synthetic.process import Process
from reprolm.corpus.synthetic.source import process
from reprolm.errors import Exit, refuse
from reprolm.evaluate.loss import Scored
from reprolm.progress import Progress
from reprolm.store import read_json

Nats = NDArray[np.float64]
LARGEST_LEAK_ERRORS = 4.0
LEAST_LEAK_NATS = 10.4
"""e^−10.4 is the mass of a normal distribution beyond four standard errors."""


class Oracle(Protocol):
    """Who knows the best possible prediction of a text."""

    nats: Nats
    """−ln p of each byte of the text, given its document before it."""

    def within(self, start: int, end: int) -> Nats | None:
        """The same of the bytes `start` to `end`, given only those from `start` on; None if not known."""
        ...


class Author:
    """The oracle of a synthetic corpus: the process that wrote it."""

    def __init__(self, known: Process, split: Split) -> None:
        self._known, self._content, self._offsets = known, split.content(), split.offsets.astype(np.int64)
        scored = []
        with Progress("evaluate (floor)", split.bytes, "bytes") as progress:
            for document in split.documents():
                scored.append(known.nats(document))
                progress.advance(len(document))
        self.nats: Nats = np.concatenate(scored)

    def within(self, start: int, end: int) -> Nats | None:
        """Known of stationary processes: with others it matters where in a document the text stands."""
        if not self._known.stationary:
            return None
        first, last = np.searchsorted(self._offsets, [start, end], side="right")
        bounds = [start, *self._offsets[first:last].tolist(), end]
        stretches = itertools.pairwise(bounds)
        return np.concatenate([self._known.nats(bytes(self._content[a:b])) for a, b in stretches])


def oracle(corpus: Path, split: Split) -> Oracle | None:
    """The oracle of a split of a corpus; None for text of which no floor is known."""
    facts = read_json(corpus / "corpus.json").get("synthetic")
    if facts is None:
        return None
    return Author(process(section({"data.synthetic": facts}, "data.synthetic", SyntheticConfig)), split)


@dataclass
class Excess:
    """The model's nats minus the oracle's, on the very same text; windows are the sampling unit.

    The oracle knows the process, and each document up to the byte that it predicts: also what lies before the
    model's window. Tokens that stand for no text (ends of documents) are left out on both sides. `sizes` are
    the bytes of each token of the text.

    Raises:
        ReprolmError: the tokens do not stand for every byte of the text (exit 65).
    """

    sizes: NDArray[np.int64]
    oracle: Oracle
    _differences: list[float] = field(default_factory=list)
    _unseen: list[float] = field(default_factory=list)
    """What it costs an oracle that it sees only the window; empty where that is not known."""
    _tokens: int = 0
    _bytes: int = 0
    _floor: float = 0.0

    def __post_init__(self) -> None:
        self._ends = np.cumsum(self.sizes)
        self._sums = np.concatenate([[0.0], np.cumsum(self.oracle.nats)])
        found, whole = int(self.sizes.sum()), len(self.oracle.nats)
        if found != whole:
            what = "do not stand for the whole text, so that no excess can be told"
            want = f"{whole}; tokenizer.character.unknown: false"
            raise refuse("data/tokens", what, got=f"{found} bytes", want=want, exit=Exit.DATA)

    def add(self, part: Scored) -> None:
        """Adds targets."""
        ends, sizes = self._ends[part.at], self.sizes[part.at]
        known = self._sums[ends] - self._sums[ends - sizes]
        text = sizes > 0
        difference = np.where(text, part.nats - known, 0.0)
        firsts = np.flatnonzero(np.diff(part.window, prepend=-1))
        self._differences += np.add.reduceat(difference, firsts).tolist()
        self._tokens += int(text.sum())
        self._bytes += int(sizes.sum())
        self._floor += float(known.sum())
        for first in firsts:
            last = np.searchsorted(part.window, part.window[first], side="right") - 1
            self._add_window(int(part.at[first]), int(part.seen[first]), int(part.at[last]))

    def _add_window(self, target: int, seen: int, last: int) -> None:
        """Adds a row of targets for an oracle that sees `seen` tokens before the first."""
        before, end = self._ends[target] - self.sizes[target], self._ends[last]
        start = self._ends[target - seen] - self.sizes[target - seen]
        nats = self.oracle.within(int(start), int(end))
        if nats is not None:
            self._unseen.append(float(nats[before - start :].sum() - (self._sums[end] - self._sums[before])))

    def _mean(self, windows: Nats) -> tuple[float, float | None]:
        """Nats a token and their standard error by the spread of the windows, which a single one has not."""
        mean = math.fsum(windows) / self._tokens
        if len(windows) < 2:
            return mean, None
        return mean, float(windows.std(ddof=1)) * math.sqrt(len(windows)) / self._tokens

    def _refuse_leak(self, excess: float, error: float, floor: float) -> None:
        """Refuses a model below the floor by four standard errors, and by more than it could be by luck.

        Whatever a model predicts, if it does not see its targets the expected likelihood ratio of model and
        process is at most 1, so that it gains c nats in all with a probability of at most e^−c (Markov's
        inequality). This holds where a standard error deceives: rare losses that did not occur here.
        """
        if excess >= -LARGEST_LEAK_ERRORS * error or -excess * self._tokens <= LEAST_LEAK_NATS:
            return
        what = "the model is better than the process that wrote the text: it sees what it predicts"
        got, want = f"{floor + excess:.4f} nats a token", f"at least the floor {floor:.4f} ± {error:.4f}"
        raise refuse("evaluate", what, got=got, want=want, exit=Exit.INTEGRITY)

    def summary(self) -> dict[str, float | None]:
        """The excess and its standard error in nats a token of text, and in bits per byte; and the floor.

        Where it is known, the same for who sees only the model's windows: what is left is the model's own.

        Raises:
            ReprolmError: the model is below the floor: it has seen what it should predict (exit 76).
        """
        differences, unseen = np.array(self._differences), np.array(self._unseen)
        floor, bits = self._floor / self._tokens, self._tokens / (math.log(2) * self._bytes)
        excess, error = self._mean(differences)
        self._refuse_leak(excess, error or 0.0, floor)
        result = {"nats": excess, "standard_error": error, "bits_per_byte": excess * bits}
        result |= {"floor_nats": floor, "floor_bits_per_byte": floor * bits}
        if len(unseen):
            limited, limited_error = self._mean(differences - unseen)
            result |= {"in_window_nats": limited, "in_window_standard_error": limited_error}
            result |= {"in_window_floor_nats": floor + excess - limited}
        return result
