"""The queue of DVC: what waits, runs, failed and finished in it; adding to it and taking from it."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Self

import psutil

from reprolm.errors import Exit, refuse


class State(Enum):
    """How an experiment stands; the value is the word for it."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True)
class Entry:
    """An experiment in the queue; `rev` is the commit that holds its code and parameters."""

    rev: str
    name: str
    state: State


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """What DVC prints is for those who typed its commands."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


class Queue:
    """That of the repository at `root`. In this process: a call of `dvc` takes seconds, this milliseconds."""

    def __init__(self, root: Path) -> None:
        self.root = root
        os.environ["DVC_NO_ANALYTICS"] = "1"
        from dvc.repo import Repo

        self._repo = Repo(str(root))
        self._tasks = self._repo.experiments.celery_queue

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._repo.close()

    def add(self, name: str, overrides: Iterable[str]) -> Entry:
        """Queues the workspace with some parameters changed.

        Raises:
            ReprolmError: DVC refuses (exit 65).
        """
        from dvc.exceptions import DvcException
        from dvc.scm import SCMError

        try:
            with _silent():
                self._repo.experiments.run(queue=True, name=name, params=list(overrides))
        except (DvcException, SCMError) as error:
            raise refuse(name, "cannot be queued", got=_told(error)) from error
        return next(entry for entry in reversed(list(self._entries(self._tasks.iter_queued(), State.QUEUED)))
                    if entry.name == name)  # fmt: skip

    @staticmethod
    def _entries(found: Iterable[Any], state: State) -> Iterator[Entry]:
        for each in found:
            yield Entry(each.stash_rev, each.name or each.stash_rev[:7], state)

    def entries(self) -> list[Entry]:
        """All that DVC remembers, those that failed or finished before too."""
        with _silent():
            waiting = list(self._entries(self._tasks.iter_queued(), State.QUEUED))
            running = list(self._entries(self._tasks.iter_active(), State.RUNNING))
            done: list[Entry] = []
            for entry, result in self._tasks.iter_done():
                finished = result is not None and result.exp_hash and result.ref_info
                done += self._entries([entry], State.FINISHED if finished else State.FAILED)
        return [*waiting, *running, *done]

    def states(self) -> dict[str, Entry]:
        """The entries by their commit."""
        return {entry.rev: entry for entry in self.entries()}

    def start(self, jobs: int) -> None:
        """Starts workers, up to `jobs` of them; they end when nothing is left to do.

        Raises:
            ReprolmError: DVC could not (exit 66).
        """
        # a worker calls `dvc`, and the stages `python`: both must be those of this environment
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        command = [sys.executable, "-P", "-m", "dvc", "queue", "start", "-j", str(jobs)]
        # a worker outlives this process: it must hold nothing that somebody reads
        done = subprocess.run(
            command, cwd=self.root, env=_clean(os.environ) | {"PATH": path}, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            raise refuse("dvc queue start", "failed", got=f"exit {done.returncode}", exit=Exit.MISSING)

    def remove(self, revs: Iterable[str]) -> None:
        """Takes experiments that wait or failed out of the queue."""
        self._tried(self._tasks.remove, list(revs))

    def kill(self, revs: Iterable[str]) -> None:
        """Interrupts those that run, as Ctrl-C does: training leaves a checkpoint."""
        self._tried(self._tasks.kill, list(revs))

    @staticmethod
    def _tried(function: Any, revs: list[str]) -> None:
        from dvc.exceptions import DvcException

        # one that ended in the meantime needs nothing
        with _silent(), contextlib.suppress(DvcException):
            if revs:
                function(revs)

    def lost(self, rev: str) -> bool:
        """Whether the process of an experiment is gone, though nobody has noted its end."""
        info = self._tasks.proc.get(rev)
        return info is not None and info.returncode is None and not psutil.pid_exists(info.pid)

    def log(self, rev: str) -> str:
        """What an experiment printed, nothing where it never ran."""
        info = self._tasks.proc.get(rev)
        path = Path(info.stdout) if info is not None and info.stdout else None
        return path.read_text(errors="replace") if path is not None and path.is_file() else ""


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    """Without what an outer `dvc` or a shell may have left, which would name another experiment."""
    return {key: value for key, value in environment.items() if not key.startswith(("DVC_EXP_", "DVC_ROOT"))}


def _told(error: Exception) -> str:
    parts = [str(error), *([str(error.__cause__)] if error.__cause__ else [])]
    return ": ".join(" ".join(part.split()) for part in parts)
