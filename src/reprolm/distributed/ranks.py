"""Which of several processes this is, and how a program starts the others; needs no torch."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from reprolm.errors import LINE, Exit, Problem, ReprolmError, refuse

RENDEZVOUS = "REPROLM_RENDEZVOUS"
"""Where processes that a stage started find each other."""
GRACE_SECONDS = 10.0
"""For the first process to end by itself once another is gone: what waits for a GPU hears nothing."""


@dataclass(frozen=True)
class Place:
    """This is process `rank` of `size`, number `local_rank` of the `local_size` on this machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    rendezvous: str = "env://"


def place(environment: Mapping[str, str] = os.environ) -> Place:
    """As `torchrun` or the first process of a stage says it, else the only one.

    Raises:
        ReprolmError: the environment says it in no numbers, or in impossible ones (exit 2).
    """
    if "RANK" not in environment or "WORLD_SIZE" not in environment:
        return Place()
    found: dict[str, int] = {}
    # who starts processes by other means than torchrun may say nothing of machines: then it is one
    unsaid = {"LOCAL_WORLD_SIZE": environment["WORLD_SIZE"], "LOCAL_RANK": "0"}
    for name in ("WORLD_SIZE", "RANK", "LOCAL_WORLD_SIZE", "LOCAL_RANK"):
        text = environment.get(name, unsaid.get(name, ""))
        number = int(text) if re.fullmatch("[0-9]{1,6}", text) else -1
        if number < name.endswith("SIZE") or (name == "RANK" and number >= found["WORLD_SIZE"]):
            want = "a number as torchrun sets it, or unset RANK WORLD_SIZE LOCAL_WORLD_SIZE LOCAL_RANK"
            raise refuse(name, "is set to what is no process", got=text, want=want, exit=Exit.PARAMETERS)
        found[name] = number
    here = found["LOCAL_RANK"], found["LOCAL_WORLD_SIZE"]
    return Place(found["RANK"], found["WORLD_SIZE"], *here, environment.get(RENDEZVOUS, "env://"))


@dataclass
class _Started:
    """Another process of this program, and the error that it told, if any."""

    rank: int
    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Passes on what it says until it ends; its errors are kept, for they end the whole run."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.startswith(LINE):
                self.said.append(line.removeprefix(LINE).strip())
            else:
                sys.stderr.write(line)
        self.process.wait()

    def failure(self, size: int) -> ReprolmError | None:
        """Why it ended too early, if it did."""
        code = self.process.poll()
        if not code:
            return None
        if self.said:
            problems = [Problem(*text.partition(": ")[::2]) for text in self.said]
            return ReprolmError(problems, Exit(code) if code in set(Exit) else Exit.BUG)
        ended = Exit.MEMORY if code == -signal.SIGKILL else abs(code) + 128 * (code < 0)
        got = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        want = "memory for all: the system ends processes where it runs out" if ended == Exit.MEMORY else ""
        return refuse(
            f"process {self.rank} of {size}", "ended before the run did", got=got, want=want,
            exit=Exit(ended) if ended in set(Exit) else Exit.BUG,
        )  # fmt: skip


class _Crew:
    """The other processes, watched: when one fails, all end."""

    def __init__(self, size: int, rendezvous: str) -> None:
        self._ending = threading.Event()
        self._size = size
        self._others = [_Started(rank, _start(rank, size, rendezvous)) for rank in range(1, size)]
        self._threads = [threading.Thread(target=self._watch, args=[o], daemon=True) for o in self._others]
        for thread in self._threads:
            thread.start()

    def _watch(self, other: _Started) -> None:
        other.listen()
        error = other.failure(self._size)
        if error is None or self._ending.wait(GRACE_SECONDS):
            return
        for problem in error.problems:
            print(f"{LINE}{problem}", file=sys.stderr, flush=True)
        self.end(0.0)
        os._exit(int(error.exit))

    def failure(self, seconds: float) -> ReprolmError | None:
        """Why one of them ended too early, if within some seconds one did."""
        self._ending.set()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for thread, other in zip(self._threads, self._others, strict=True):
                if not thread.is_alive() and (error := other.failure(self._size)):
                    return error
            time.sleep(0.05)
        return None

    def end(self, seconds: float) -> None:
        """Waits for them, and ends those that go on."""
        self._ending.set()
        until = time.monotonic() + seconds
        for other in self._others:
            with suppress(subprocess.TimeoutExpired):
                other.process.wait(max(0.0, until - time.monotonic()))
            other.process.kill()


def _start(rank: int, size: int, rendezvous: str) -> "subprocess.Popen[str]":
    """This program once more, as another rank; a pipe tells it when this process is gone."""
    its = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": size,
        "LOCAL_WORLD_SIZE": size,
        RENDEZVOUS: rendezvous,
    }
    return subprocess.Popen(
        [sys.executable, *sys.orig_argv[1:]],
        env=os.environ | {name: str(value) for name, value in its.items()},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def _end_with_the_first() -> None:
    """Ends this process when the one that started it is gone, however it died."""
    # by the system's call: a thread that waits in sys.stdin would break the end of the interpreter
    while os.read(0, 1):
        pass
    os._exit(int(Exit.TERMINATED))


@contextmanager
def crew(processes: int) -> Iterator[Place]:
    """The place of this process among `processes` on this machine, which the first of them starts.

    Where `torchrun` has started them, their number is what it says.

    Raises:
        ReprolmError: what ended another process (its exit code; 71 if it was killed).
    """
    here = place()
    if here.rank and here.rendezvous != "env://":
        threading.Thread(target=_end_with_the_first, daemon=True).start()
    if here.size > 1 or processes == 1:
        yield here
        return
    # on one machine they need no network but this
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    with tempfile.TemporaryDirectory() as folder:
        rendezvous = (Path(folder) / "rendezvous").as_uri()
        others = _Crew(processes, rendezvous)
        try:
            yield Place(0, processes, 0, processes, rendezvous)
            others.end(GRACE_SECONDS)
        except ReprolmError as error:
            lost = others.failure(GRACE_SECONDS / 2) if error.exit is Exit.NETWORK else None
            raise (lost or error) from error
        except RuntimeError as error:
            raise (others.failure(GRACE_SECONDS / 2) or error) from error
        finally:
            others.end(0.0)
