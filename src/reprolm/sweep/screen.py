"""The live table of a sweep: lines drawn anew on a terminal, a line for each change elsewhere."""

import shutil
import sys
import time
from collections.abc import Callable, Sequence

from reprolm.quantities import duration
from reprolm.sweep.queue import State
from reprolm.sweep.watch import Row

PLAIN_EVERY_SECONDS = 30.0
WORDS = 9


class Screen:
    """Shows rows; `doing` says what each does."""

    def __init__(self, doing: Callable[[Row], str]) -> None:
        self._doing = doing
        self._live = sys.stdout.isatty()
        self._drawn = 0
        self._told: dict[str, State] = {}
        self._next = time.monotonic() + PLAIN_EVERY_SECONDS
        self._began = time.monotonic()

    def show(self, rows: Sequence[Row]) -> None:
        """Brings the screen up to date."""
        if self._live:
            self._draw(rows)
        else:
            self._tell(rows)

    def _draw(self, rows: Sequence[Row]) -> None:
        width, height = shutil.get_terminal_size()
        lines = [line[: width - 1] for line in self.table(rows, height - 3)]
        above = f"\x1b[{self._drawn}F" if self._drawn else ""
        print(f"{above}\x1b[J" + "\n".join(lines), flush=True)
        self._drawn = len(lines)

    def table(self, rows: Sequence[Row], most: int) -> list[str]:
        """A line for each experiment, those that wait left out where there is no room, and one for all."""
        order = [row for row in rows if row.state is not State.QUEUED]
        order += [row for row in rows if row.state is State.QUEUED]
        shown = order if len(order) <= most else order[max(0, len(order) - most) :]
        running = [row for row in order if row.state is State.RUNNING]
        if len(order) > most:
            shown = [*running, *(row for row in reversed(order) if row not in running)][: max(1, most)]
        name = max((len(row.name) for row in shown), default=0)
        return [*(self._line(row, name) for row in shown), self._sum(rows)]

    def _line(self, row: Row, width: int) -> str:
        seconds = time.time() - row.progress.began if row.state is State.RUNNING else row.progress.seconds
        took = duration(seconds) if row.progress.began and row.state is not State.QUEUED else ""
        return f"{row.name:<{width}}  {row.state.value:<{WORDS}}{took:>12}  {self._doing(row)}".rstrip()

    def _sum(self, rows: Sequence[Row]) -> str:
        counts = {state: sum(row.state is state for row in rows) for state in State}
        order = (State.FINISHED, State.FAILED, State.RUNNING, State.QUEUED)
        parts = [f"{counts[state]} {state.value}" for state in order if counts[state]]
        return f"{', '.join(parts)}; {duration(time.monotonic() - self._began)}"

    def _tell(self, rows: Sequence[Row]) -> None:
        due = time.monotonic() >= self._next
        if due:
            self._next = time.monotonic() + PLAIN_EVERY_SECONDS
        for row in rows:
            changed = self._told.get(row.name, State.QUEUED) is not row.state
            if changed or (due and row.state is State.RUNNING):
                print(" ".join(self._line(row, 0).split()), flush=True)
            self._told[row.name] = row.state
