"""SIGTERM and Ctrl-C: asked for between steps, never in the middle of one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from reprolm.errors import Exit, Stopped
from reprolm.processes import PARENT_DIED


class Signals:
    """Whether somebody asked to stop, and with which exit code to do so."""

    def __init__(self) -> None:
        self.stop: Exit | None = None
        self._asked = False

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listens; a second signal ends the process at once, but not the death of its parent."""

        def handle(number: int, frame: FrameType | None) -> Any:  # noqa: ARG001
            if number == PARENT_DIED:
                self.stop = self.stop or Exit.TERMINATED
            elif self.stop is not None and self._asked:
                raise Stopped(self.stop)
            else:
                self.stop, self._asked = Exit(128 + number), True

        numbers = filter(None, (signal.SIGTERM, signal.SIGINT, PARENT_DIED))
        before = {number: signal.signal(number, handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
