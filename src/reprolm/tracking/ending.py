"""How `dvc` itself ended, seen by a process that is not its parent.

Linux tells it since 6.15 to whoever held a descriptor of the process (`PIDFD_GET_INFO`); elsewhere an output
that DVC misses says as much. The reason that DVC printed is known to its terminal alone.
"""

import ctypes
import os
import sys
import time
from pathlib import Path

from reprolm.journal import Journal, stream
from reprolm.tracking.identity import lives
from reprolm.tracking.mirror import execution_of
from reprolm.tracking.pipeline import PIPELINE, stages_of
from reprolm.tracking.record import JOURNAL, milliseconds

GET_INFO = 0xC040FF0B
EXIT = 1 << 3
INTERRUPTED = 252
"""The exit code of a `dvc` that was interrupted from its keyboard."""
# whoever started dvc fetches its exit code first
PATIENCE_SECONDS = 1.0


class _Info(ctypes.Structure):
    """`struct pidfd_info` of Linux, its first version."""

    _fields_ = [("mask", ctypes.c_uint64), ("names", ctypes.c_uint32 * 13), ("status", ctypes.c_int32)]


def _exit_code(descriptor: int) -> int | None:
    """That of a process which has ended, negative for a signal; None where this system does not tell."""
    import fcntl

    info = _Info(mask=EXIT)
    try:
        fcntl.ioctl(descriptor, GET_INFO, info)
    except OSError:
        return None
    return os.waitstatus_to_exitcode(info.status) if info.mask & EXIT else None


def tells() -> bool:
    """Whether this system tells how processes of others ended."""
    if not sys.platform.startswith("linux"):
        return False
    pid = os.posix_spawn("/bin/true", ["true"], {})
    descriptor = os.pidfd_open(pid)
    os.waitpid(pid, 0)
    known = _exit_code(descriptor)
    os.close(descriptor)
    return known == 0


def missing(root: Path, stage: str) -> list[str]:
    """The outputs of a stage of dvc.yaml that are not there."""
    try:
        entry = stages_of((root / PIPELINE).read_bytes())[stage]
        listed = [each for kind in ("outs", "metrics", "plots") for each in entry.get(kind, [])]
    except (OSError, KeyError, TypeError, AttributeError):
        return []
    paths = [next(iter(each)) if isinstance(each, dict) else str(each) for each in listed]
    return [path for path in paths if "${" not in path and not (root / path).exists()]


class Ending:
    """Watches the `dvc` of an execution, and writes into the journal that it ended with an error."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._noted = directory, False
        self._execution = execution_of(directory)
        self._descriptor: int | None = None
        execution = self._execution
        if execution is not None and execution.here and hasattr(os, "pidfd_open"):
            try:
                self._descriptor = os.pidfd_open(execution.pid)
            except OSError:
                return
            if not lives(execution.pid, execution.started):
                self.close()

    def close(self) -> None:
        """Lets the process go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

    def note(self) -> bool:
        """Writes down, once, that `dvc` is over with an error of its own; tells whether it did just now."""
        execution = self._execution
        if self._noted or execution is None or execution.kind == "manual" or execution.alive:
            return False
        self._noted = True
        ends = [each for each in stream(self._directory / JOURNAL) if each["kind"] in ("ended", "over")]
        done = [record for record in ends if record["kind"] == "ended"]
        # in a workspace of its own an experiment leaves nothing behind
        own = execution.kind == "queue" or "--temp" in execution.command
        lost = missing(self._directory.parents[2], done[-1]["stage"]) if done and not own else []
        code = self._code()
        if len(done) < len(ends) or not (lost if code is None else _is_error(code)):
            return False
        after = f" after {done[-1]['stage']}" if done else ""
        reasons = [f"dvc ended with exit code {code}{after}" if code else f"dvc ended{after}"]
        reasons += [f"it left no {', '.join(lost)}"] if lost else []
        fields = {"exit": code, "error": "; ".join(reasons)}
        Journal(self._directory / JOURNAL).append({"at": milliseconds(time.time()), "kind": "over", **fields})
        return True

    def _code(self) -> int | None:
        if self._descriptor is None:
            return None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (code := _exit_code(self._descriptor)) is None and time.monotonic() < deadline and tells():
            time.sleep(PATIENCE_SECONDS / 20)
        return code


def _is_error(code: int) -> bool:
    return code > 0 and code != INTERRUPTED
