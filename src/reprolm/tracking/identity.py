"""Who executes: the `dvc` process above a stage. Its stages share one journal and one MLflow run."""

import itertools
import os
import platform
import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import psutil

# the start time of a process is reckoned from a boot time that moves by up to a second when clocks are set
SAME_START_SECONDS = 5.0
GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess)


def host() -> str:
    """The name of this machine, fit for a file name."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", platform.node()) or "localhost"


def redacted(text: str) -> str:
    """`text` without the user names and passwords of its addresses.

    >>> redacted("-S data.url.address=https://me:secret@example.com/a")
    '-S data.url.address=https://example.com/a'
    """
    return re.sub(r"://[^/@\s]+@", "://", text)


def is_dvc(command: Sequence[str]) -> bool:
    """Whether a command line is one of DVC: `dvc …`, `python …/bin/dvc …`, `python -m dvc …`.

    >>> is_dvc(["/usr/bin/python", "/venv/bin/dvc", "repro"]), is_dvc(["bash", "-c", "dvc repro"])
    (True, False)
    """
    if any(Path(word).name in ("dvc", "dvc.exe") for word in command[:2]):
        return True
    return any(pair == ("-m", "dvc") for pair in itertools.pairwise(command[:4]))


def kind(command: Sequence[str]) -> str:
    """How DVC was asked: `repro`, `exp` (`dvc exp run`), `queue` (its worker), else `manual`.

    >>> kind(["python", "/venv/bin/dvc", "exp", "run", "-S", "seed=2"])
    'exp'
    """
    if not is_dvc(command):
        return "manual"
    start = next(i for i, word in enumerate(command) if Path(word).name in ("dvc", "dvc.exe"))
    words = [word for word in command[start + 1 :] if not word.startswith("-")]
    if "exec-run" in words:
        return "queue"
    asked = next((word for word in words if word in ("repro", "exp", "experiments")), "repro")
    return "repro" if asked == "repro" else "exp"


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except GONE:
        return []


@dataclass(frozen=True)
class Execution:
    """One execution of the pipeline; `started` in seconds since 1970, `name` that of a DVC experiment."""

    host: str
    pid: int
    started: float
    kind: str
    command: str
    name: str | None = None
    baseline: str | None = None

    @classmethod
    def current(cls) -> Self:
        """The nearest `dvc` process above this one; without one, this process."""
        this = psutil.Process()
        above = ((process, _command(process)) for process in this.parents())
        process, command = next((each for each in above if is_dvc(each[1])), (this, _command(this)))
        how = kind(command)
        # DVC sets these for experiments alone; elsewhere they were exported by the user's shell
        name, baseline = (
            os.environ.get(key) if how in ("exp", "queue") else None
            for key in ("DVC_EXP_NAME", "DVC_EXP_BASELINE_REV")
        )
        words = redacted(shlex.join(command))
        return cls(host(), process.pid, process.create_time(), how, words, name, baseline)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """The execution that a journal's `opened` record names."""
        return cls(**record)

    def record(self) -> dict[str, Any]:
        """The form in which a journal keeps it."""
        return asdict(self)

    @property
    def id(self) -> str:
        """Its name among all executions: host, process, start in milliseconds."""
        return f"{self.host}-{self.pid}-{round(self.started * 1000)}"

    def directory(self, parent: Path) -> Path:
        """Its directory in `parent`: one that is there, if its start differs by a clock's step."""
        for path in parent.glob(f"{self.host}-{self.pid}-*"):
            start = path.name.rsplit("-", 1)[-1]
            if start.isdigit() and abs(int(start) / 1000 - self.started) < SAME_START_SECONDS:
                return path
        return parent / self.id

    @property
    def here(self) -> bool:
        """Whether it is of this machine, so that its processes can be seen."""
        return self.host == host()

    @property
    def alive(self) -> bool:
        """Whether its process lives; one of another machine is taken to live, for nobody here can tell."""
        return not self.here or lives(self.pid, self.started)


def lives(pid: int, started: float) -> bool:
    """Whether the process `pid` is there, is the one that started then, and is no zombie."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < SAME_START_SECONDS
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
