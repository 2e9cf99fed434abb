"""The life of a stage's process: it dies with its `dvc`, and a signal lets it end in order."""

import ctypes
import os
import signal
import sys
from types import FrameType

import psutil

from reprolm.errors import Exit, Stopped
from reprolm.processes import PARENT_DIED
from reprolm.tracking.identity import is_dvc

PR_SET_PDEATHSIG = 1


def _terminate(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    if PARENT_DIED:
        # the end is on its way
        signal.signal(PARENT_DIED, signal.SIG_IGN)
    raise Stopped(Exit.TERMINATED)


def _orphaned() -> bool:
    """Whether the `dvc` that started this stage is gone: something above, in its session, would be it."""
    this = psutil.Process()
    try:
        if any(is_dvc(process.cmdline()) for process in this.parents()):
            return False
        parent = os.getppid()
        return parent == 1 or os.getsid(parent) != os.getsid(0)
    except (psutil.Error, OSError):
        return True


def die_with_parent() -> None:
    """Under DVC on Linux the kernel sends `PARENT_DIED` to this process when its parent dies.

    DVC itself leaves its stage running when it is killed: the next `dvc repro` would start a second trainer.
    """
    signal.signal(signal.SIGTERM, _terminate)
    # a shell that starts a job in the background has it ignore this one, which `dvc queue kill` sends
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.platform != "linux" or "DVC_STAGE" not in os.environ:
        return
    signal.signal(PARENT_DIED, _terminate)
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, PARENT_DIED)
    # a parent that died before that call sends nothing
    if os.getppid() != parent or _orphaned():
        raise Stopped(Exit.TERMINATED)
