"""Progress of long work on stderr: a bar with rate and time left on a terminal, plain lines elsewhere."""

import math
import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

LINE_EVERY_SECONDS = 5.0


class Progress:
    """Counts `total` units of work (unknown if None); `advance` may carry numbers to show beside it.

    Only one of several processes shows it.
    """

    def __init__(
        self, label: str, total: int | None, unit: str, *, done: int = 0, shown: bool = True
    ) -> None:
        self._plain, self._shown = not (shown and sys.stderr.isatty()), shown
        self._next = time.monotonic() + (LINE_EVERY_SECONDS if shown else math.inf)
        self._bar = tqdm(
            total=total, initial=done, desc=label, unit=unit, unit_scale=True, dynamic_ncols=True,
            mininterval=0.2, file=sys.stderr, leave=True, disable=self._plain,
        )  # fmt: skip
        self._label, self._total, self._unit, self._done, self._before = label, total, unit, done, done
        self._started = time.monotonic()
        self._numbers: dict[str, str] = {}

    def advance(self, count: int = 1, **numbers: float | str) -> None:
        """Adds finished work; numbers are shown until they are given anew."""
        self._done += count
        self._numbers |= {name: v if isinstance(v, str) else f"{v:.4g}" for name, v in numbers.items()}
        if not self._plain:
            if numbers:
                self._bar.set_postfix_str(", ".join(self._shown_numbers), refresh=False)
            self._bar.update(count)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY_SECONDS
            print(self._line(), file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """A line of its own, above the bar."""
        if self._shown:
            self._bar.write(text, file=sys.stderr)
            sys.stderr.flush()

    @property
    def _shown_numbers(self) -> list[str]:
        return [f"{name} {value}" for name, value in self._numbers.items()]

    def _line(self) -> str:
        rate = (self._done - self._before) / max(time.monotonic() - self._started, 1e-9)
        text = f"{self._label}: {self._done:,}"
        if self._total:
            left = (self._total - self._done) / rate if rate else 0.0
            text += f" of {self._total:,} {self._unit}, {self._done / self._total:.0%}, {left:.0f} s left"
        else:
            text += f" {self._unit}"
        return ", ".join([text, f"{rate:,.0f} {self._unit}/s", *self._shown_numbers])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
