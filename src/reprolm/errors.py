"""The user-facing error: one line that names the parameter or path, what was found and what is wanted."""

import enum
import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

LONGEST_VALUE = 80
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EFBIG}
"""What the system says of a disk that cannot be written."""
LINE = "reprolm: error: "
"""How a line that tells an error begins."""


class Exit(enum.IntEnum):
    """Exit codes of the stages and of the `reprolm` command. Only 0 means that outputs were published."""

    DONE = 0
    PARAMETERS = 2
    DATA = 65
    MISSING = 66
    NETWORK = 69
    BUG = 70
    MEMORY = 71
    DIVERGED = 72
    STORAGE = 74
    LOCKED = 75
    INTEGRITY = 76
    SECURITY = 77
    INTERRUPTED = 128 + signal.SIGINT
    TERMINATED = 128 + signal.SIGTERM


def shown(value: object) -> str:
    """`value` as one short printable line: control characters escaped, cut after 80 characters."""
    text = value if isinstance(value, str) else repr(value)
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: `where` is a parameter or a path, `got` what was found, `want` the rule."""

    where: str
    what: str
    got: object = None
    want: str = ""
    see: str = ""
    """Where to look further."""

    def __str__(self) -> str:
        parts = [f"got {shown(self.got)}"] if self.got is not None else []
        parts += [f"want {self.want}"] if self.want else []
        parts += [f"look into {self.see}"] if self.see else []
        return f"{self.where}: {self.what}" + (f" ({'; '.join(parts)})" if parts else "")


class ReprolmError(Exception):
    """An error that its reader can mend: shown as one line a problem, without a traceback."""

    def __init__(self, problems: Problem | Iterable[Problem], exit: Exit) -> None:
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        self.exit = exit
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[type[Self], tuple[list[Problem], Exit]]:
        # comes back whole from another process
        return type(self), (self.problems, self.exit)


class Stopped(Exception):  # noqa: N818 - it is no error
    """A signal asked for the end, and what was done so far is safe on disk."""

    def __init__(self, exit: Exit) -> None:
        self.exit = exit
        super().__init__(exit.name.lower())


def refuse(
    where: str, what: str, *, got: object = None, want: str = "", exit: Exit = Exit.DATA
) -> ReprolmError:
    """The error for a single problem, to be raised by the caller."""
    return ReprolmError(Problem(where, what, got, want), exit)


def classified(error: BaseException) -> ReprolmError | None:
    """The user-facing form of errors that the system raises under us."""
    if isinstance(error, ReprolmError):
        return error
    if isinstance(error, OSError) and error.errno in DISK:
        path = str(error.filename or "disk")
        return refuse(path, "cannot be written or read", got=error.strerror, exit=Exit.STORAGE)
    if out_of_memory(error):
        want = "a smaller model or batch: reprolm plan tells what a run needs"
        return refuse("memory", "exhausted", want=want, exit=Exit.MEMORY)
    return None


def out_of_memory(error: BaseException) -> bool:
    """Whether memory has run out, that of this machine or of its GPU."""
    # torch, which is not imported for this, has a class for GPUs and none for the CPU
    words = ("can't allocate memory", "not enough memory")
    torchs = isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    return torchs or isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def guarded(function: Callable[[], None]) -> int:
    """Runs `function`, returns its exit code; prints what its reader can mend as `reprolm: error: …` lines.

    A traceback is shown for our own faults (exit 70), and for all with `REPROLM_DEBUG=1`.
    """
    try:
        function()
    except Stopped as stop:
        return int(stop.exit)
    except KeyboardInterrupt:
        return int(Exit.INTERRUPTED)
    except Exception as error:
        known = classified(error)
        if known is None or os.environ.get("REPROLM_DEBUG") == "1":
            traceback.print_exc()
        for problem in (
            known.problems if known else [Problem("reprolm", "failed on a fault of its own", error)]
        ):
            print(f"{LINE}{problem}", file=sys.stderr)
        return int(known.exit if known else Exit.BUG)
    return int(Exit.DONE)
