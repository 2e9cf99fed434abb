"""An append-only file of checksummed records: what a killed process wrote is kept, a torn last line cut off,
a damaged one passed over.

One record is one line, `<crc32 of the JSON, 8 hex digits> <JSON>`, appended with a single `write`.
"""

import errno
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reprolm.store import step

PREFIX = 9
BLOCK_BYTES = 2**16


def _line(record: dict[str, Any]) -> bytes:
    # NaN and Infinity are kept as Python's JSON writes them: the journal holds the truth
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    # half of a surrogate pair, as file names may hold it, becomes the escape that JSON has for it
    body = text.encode(errors="backslashreplace")
    return b"%08x " % zlib.crc32(body) + body + b"\n"


def _body(line: bytes) -> bytes | None:
    """The JSON of an undamaged line, else None."""
    body = line[PREFIX:-1]
    return body if line[:PREFIX] == b"%08x " % zlib.crc32(body) else None


def _bodies(path: Path, offset: int) -> Iterator[tuple[bytes | None, int]]:
    """The JSON of each whole line, None for a damaged one, and the offset behind it."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            yield _body(line), offset


def read(path: Path, offset: int = 0, most: int | None = None) -> tuple[list[dict[str, Any]], int]:
    """The records from byte `offset` on, at most so many, and the offset behind the last.

    A damaged line is passed over; reading stops at a last one that is not whole.
    """
    records, end = list[dict[str, Any]](), offset
    for body, behind in _bodies(path, offset):
        end = behind
        if body is not None:
            records.append(json.loads(body))
        if len(records) == most:
            break
    return records, end


def stream(path: Path, offset: int = 0, end: int | None = None) -> Iterator[dict[str, Any]]:
    """The records from byte `offset` to `end`, one by one: all of a long journal do not fit into memory."""
    for body, behind in _bodies(path, offset):
        if end is not None and behind > end:
            return
        if body is not None:
            yield json.loads(body)


def census(path: Path, offset: int = 0) -> tuple[int, int]:
    """How many records there are from byte `offset` on, and how many lines that are damaged.

    Of one pass, for somebody may append meanwhile; four times as quick as reading them.
    """
    found = Counter(body is not None for body, _ in _bodies(path, offset))
    return found[True], found[False]


def count(path: Path, offset: int = 0) -> int:
    """How many records there are from byte `offset` on."""
    return census(path, offset)[0]


def _end(file: int) -> int:
    """The byte behind the last whole line."""
    size = os.fstat(file).st_size
    while size > 0:
        start = max(0, size - BLOCK_BYTES)
        found = os.pread(file, size - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        size = start
    return 0


class Journal:
    """Appends records to `path`; a last line there that is not whole is cut off first."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        if self.size > (end := _end(self._file)):
            os.ftruncate(self._file, end)

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return os.fstat(self._file).st_size

    def append(self, record: dict[str, Any]) -> None:
        """Adds one record; it survives a kill of this process at once, a power cut after `sync`."""
        step("journal")
        line = _line(record)
        if os.write(self._file, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def sync(self) -> None:
        """Makes every record durable."""
        os.fsync(self._file)

    def close(self) -> None:
        """Ends writing; what was appended stays."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
