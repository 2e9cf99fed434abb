"""DVC's list of who reads and writes which output, `.dvc/tmp/rwlock`, where a kill has left it wrong.

DVC passes over a process that is gone, but waits for ever for one that has ended and that nobody has reaped
(in a container whose first process does not), and cannot read a list that a kill has cut.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from reprolm.errors import Exit, refuse
from reprolm.store import publish_json

PLACE = Path(".dvc", "tmp")
LIST, GUARD = "rwlock", "rwlock.lock"


def ended(pid: int) -> bool:
    """Whether a process is gone, or only waits to be reaped."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _read(path: Path) -> dict[str, Any] | None:
    """The list; empty where there is none, None where it cannot be read."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _entries(listed: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Who holds something: `pid` and `cmd`."""
    yield from listed.get("write", {}).values()
    for readers in listed.get("read", {}).values():
        yield from readers


def problem(root: Path) -> str:
    """What is wrong with the list of a repository; nothing where nothing is."""
    listed = _read(root / PLACE / LIST)
    if listed is None:
        return f"{PLACE / LIST} cannot be read"
    # those that are gone DVC passes over by itself
    dead = {
        entry["pid"] for entry in _entries(listed) if psutil.pid_exists(entry["pid"]) and ended(entry["pid"])
    }
    return (
        f"{PLACE / LIST} names processes that have ended: {', '.join(map(str, sorted(dead)))}" if dead else ""
    )


def unlock(root: Path) -> None:
    """Takes out of the list what has ended; a list that cannot be read is removed, if no dvc is at work here.

    Raises:
        ReprolmError: dvc is at work (exit 75).
    """
    path = root / PLACE / LIST
    with _guarded(root):
        listed = _read(path)
        if listed is not None:
            write = {
                name: entry for name, entry in listed.get("write", {}).items() if not ended(entry["pid"])
            }
            read = {name: [entry for entry in entries if not ended(entry["pid"])]
                    for name, entries in listed.get("read", {}).items()}  # fmt: skip
            publish_json(path, {"write": write, "read": {name: kept for name, kept in read.items() if kept}})
            return
        if pid := _working(root):
            what = "cannot be read, and dvc is at work"
            want = "an end of that process"
            raise refuse(str(path), what, got=f"process {pid}", want=want, exit=Exit.LOCKED)
        path.unlink(missing_ok=True)


def _working(root: Path) -> int | None:
    """A process of dvc in the repository, if there is one."""
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        told = process.info
        named = any(Path(word).name == "dvc" for word in told["cmdline"] or ())
        inside = Path(told["cwd"] or "/").is_relative_to(root.resolve())
        if named and inside and told["status"] != psutil.STATUS_ZOMBIE:
            return int(process.pid)
    return None


@contextmanager
def _guarded(root: Path) -> Iterator[None]:
    """While this holds, dvc does not change the list."""
    (root / PLACE).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / PLACE / GUARD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
