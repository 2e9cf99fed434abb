"""SIGTERM and Ctrl-C: asked for between steps, never in the middle of one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from reprolm.errors import Exit, Stopped


class Signals:
    """Whether somebody asked to stop, and with which exit code to do so."""

    def __init__(self) -> None:
        self.stop: Exit | None = None

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listens; a second signal ends the process at once."""

        def handle(number: int, frame: FrameType | None) -> Any:  # noqa: ARG001
            if self.stop is not None:
                raise Stopped(self.stop)
            self.stop = Exit(128 + number)

        before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
