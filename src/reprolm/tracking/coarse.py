"""A bound for the record: a journal that has grown past it takes curves coarser; it never stops a training.

Results do not hang on it: the curve of a training is a part of its checkpoints.
"""

from collections.abc import Mapping

BOUND_BYTES = 2**30
"""Some four million points: of a run that long a page of MLflow shows one in 2,000."""
SHARES = 16
"""Each time that a journal has grown by such a part of its bound, its curves are half as fine as before.

Like that twice the bound is out of reach (after 10¹⁰ points), and what is left is always more than the 2,000
points of a series that MLflow is sent.
"""


class Coarse:
    """How fine the curves of a journal are: of each series one value in `every` points."""

    def __init__(self) -> None:
        self.every = 1
        self._limit = BOUND_BYTES
        self._points = 0
        self._last: dict[str, int] = {}

    def grown(self, size: int) -> bool:
        """Whether a journal of so many bytes passes a limit; it is coarser from then on."""
        before = self.every
        while size >= self._limit:
            self.every *= 2
            self._limit += BOUND_BYTES // SHARES
        return self.every > before

    def due(self, values: Mapping[str, float]) -> dict[str, float]:
        """Those values of the next point that are kept; a series with few keeps them longest."""
        self._points += 1
        due = {
            name: value
            for name, value in values.items()
            if self._points - self._last.get(name, -self.every) >= self.every
        }
        self._last |= dict.fromkeys(due, self._points)
        return due
