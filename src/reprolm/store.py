"""The only module that makes results durable: atomic publishing, sha256 manifests, verified loading, locks.

A published directory holds its files and a `manifest.json` with the size and sha256 of each. It is written
beside its target, made durable (fsync of every file, then of the directory), only then renamed into place. So
whatever the instant of a kill or a power loss, what stands under the target's name is whole. Tests inject
faults at `step`, which each of its writes passes.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from reprolm.errors import Exit, refuse

MANIFEST = "manifest.json"
CHUNK_BYTES = 1 << 20
_steps_left: dict[str, int] = {}


def step(point: str) -> None:
    """Passed by each write, with the name of what is being done: the seam where tests stop the process.

    `REPROLM_FAULT=point:n` kills this process, as a crash would, when `point` is passed for the n-th time.
    """
    fault = os.environ.get("REPROLM_FAULT")
    if not fault:
        return
    name, _, count = fault.partition(":")
    if name in (point, "any"):
        _steps_left.setdefault(fault, int(count))
        _steps_left[fault] -= 1
        if _steps_left[fault] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def canonical(value: Any) -> str:
    """JSON with sorted keys and nothing that varies, to be hashed or compared."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def digest(value: Any) -> str:
    """The sha256 of a JSON value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_directory(path: Path) -> None:
    step("sync")
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _created(path: Path) -> Iterator[IO[bytes]]:
    """A new file, never through a link, durable when the block ends."""
    step("create")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            step("flush")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        # a full disk is left no fuller, and told by the name of what did not fit
        path.unlink(missing_ok=True)
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise


def _write(path: Path, content: bytes) -> None:
    with _created(path) as file:
        for start in range(0, max(len(content), 1), CHUNK_BYTES):
            step("write")
            file.write(content[start : start + CHUNK_BYTES])


def _temporary(target: Path) -> Path:
    return target.parent / f".{target.name}.tmp.{os.getpid()}"


def _remove_leftovers(target: Path) -> None:
    """Removes what a killed writer of `target` left; a writer that still lives keeps its own."""
    for path in target.parent.glob(f".{target.name}.tmp.*"):
        with contextlib.suppress(ValueError, ProcessLookupError, PermissionError):
            os.kill(int(path.name.rsplit(".", 1)[-1]), 0)
            if path != _temporary(target):
                continue
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def publish_file(target: Path, content: bytes | str) -> None:
    """Writes `target` whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(target)
    temporary = _temporary(target)
    _write(temporary, content.encode() if isinstance(content, str) else content)
    step("rename")
    temporary.replace(target)
    _sync_directory(target.parent)


def publish_json(target: Path, value: Any) -> None:
    """Writes a JSON value in a form that git can compare: keys in their own order, one a line."""
    publish_file(target, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextlib.contextmanager
def publish_directory(target: Path) -> Iterator[Path]:
    """Gives a temporary directory to fill; published as `target`, with a manifest, if the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(target)
    temporary = _temporary(target)
    temporary.mkdir()
    try:
        yield temporary
        _seal(temporary)
        _replace_directory(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _seal(directory: Path) -> None:
    """Makes the files durable and writes the manifest last, so that a manifest vouches for what it lists."""
    entries = {}
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        step("flush")
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        name = path.relative_to(directory).as_posix()
        entries[name] = {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
    _write(directory / MANIFEST, (json.dumps({"files": entries}, indent=1, sort_keys=True) + "\n").encode())
    for path in [*(p for p in directory.rglob("*") if p.is_dir()), directory]:
        _sync_directory(path)


def _replace_directory(temporary: Path, target: Path) -> None:
    """A directory cannot be renamed over a full one: the old is moved aside, and back if that fails.

    A kill between the two renames leaves no target. DVC removes a stage's outputs before it starts and
    checkpoints have names of their own, so that nothing that must last is ever replaced in this way.
    """
    old = target.parent / f".{target.name}.tmp.old.{os.getpid()}"
    step("rename")
    if target.exists():
        target.rename(old)
    try:
        step("rename")
        temporary.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    _sync_directory(target.parent)
    step("remove")
    shutil.rmtree(old, ignore_errors=True)


def manifest(directory: Path) -> dict[str, dict[str, Any]]:
    """The manifest of a published directory: name → bytes and sha256.

    Raises:
        ReprolmError: there is none, or it cannot be read.
    """
    path = directory / MANIFEST
    if not path.is_file():
        raise refuse(
            str(directory), "is not there or was not published whole", want=f"a {MANIFEST}", exit=Exit.MISSING
        )
    try:
        files: dict[str, dict[str, Any]] = json.loads(path.read_bytes())["files"]
        assert all("/.." not in f"/{name}" and not name.startswith("/") for name in files)
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise refuse(str(path), "is not a manifest", got=error, exit=Exit.INTEGRITY) from error
    return files


def verified(directory: Path) -> Path:
    """`directory`, after each of its files was compared with the manifest.

    Raises:
        ReprolmError: a file is missing, has another size or other bytes (exit 76).
    """
    for name, entry in manifest(directory).items():
        path = directory / name
        size = path.stat().st_size if path.is_file() else None
        if size != entry["bytes"]:
            raise refuse(
                str(path), "has another size", got=size, want=f"{entry['bytes']} bytes", exit=Exit.INTEGRITY
            )
        found = file_sha256(path)
        if found != entry["sha256"]:
            raise refuse(str(path), "has other bytes", got=found, want=entry["sha256"], exit=Exit.INTEGRITY)
    return directory


def directory_digest(directory: Path) -> str:
    """One sha256 for a published directory: that of its manifest."""
    return digest(manifest(directory))


def read_json(path: Path) -> Any:
    """A JSON file of ours.

    Raises:
        ReprolmError: it is missing (exit 66) or is not JSON (exit 76).
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise refuse(str(path), "is not there", exit=Exit.MISSING) from error
    except ValueError as error:
        raise refuse(str(path), "is not JSON", got=error, exit=Exit.INTEGRITY) from error


def _acquired(directory: Path, wait: Callable[[str], None] | None) -> IO[str]:
    """The open lock file of a directory, held."""
    path = directory / ".lock"
    while True:
        directory.mkdir(parents=True, exist_ok=True)
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = file.read().strip() or "another process"
            if wait is None:
                file.close()
                raise refuse(
                    str(directory), "is in use", got=holder, want="one at a time", exit=Exit.LOCKED
                ) from error
            wait(holder)
            fcntl.flock(file, fcntl.LOCK_EX)
        # who held it before may have removed the directory: then this is the lock of nothing
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
        file.close()


def patiently(holder: str) -> None:
    """For `locked`: waits without a word."""


@contextlib.contextmanager
def locked(directory: Path, *, wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Holds the lock of a directory, which the kernel frees whatever happens to this process.

    Where another process holds it, `wait` is told which, and then it is waited for.

    Raises:
        ReprolmError: another process holds it (exit 75), and there is no `wait`.
    """
    with _acquired(directory, wait) as file:
        file.seek(0)
        file.truncate()
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {since}\n")
        file.flush()
        yield


def prune(directory: Path) -> None:
    """Removes a directory so that no reader ever sees half of it."""
    trash = directory.parent / f".{directory.name}.tmp.old.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        step("remove")
        directory.rename(trash)
        shutil.rmtree(trash, ignore_errors=True)
