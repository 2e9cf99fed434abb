"""Processes that are compared: each waits, doing nothing, until it has its turn."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Arm:
    """A Python process that says "ready", and answers each line with a line of JSON."""

    def __init__(self, *arguments: str, environment: Mapping[str, str] = os.environ, cwd: Path | None = None):
        self._process = subprocess.Popen(
            [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment, cwd=cwd,
        )  # fmt: skip
        while self._said() != "ready":
            pass

    def _said(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("an arm has ended by itself")
        return line.strip()

    def ask(self, number: int) -> Any:
        """What the process answers to a number."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        return json.loads(self._said())

    def end(self) -> None:
        """Ends the process, whatever it is at."""
        self._process.kill()
        self._process.wait()


def ready() -> None:
    """What an arm says when its first turn may begin."""
    print("ready", flush=True)


def answer(value: Any) -> None:
    """To the line that was read last."""
    print(json.dumps(value), flush=True)
