"""An append-only file of checksummed records: what a killed process wrote is kept, a torn last line cut off,
a damaged one passed over.

One record is one line, `<crc32 of the JSON, 8 hex digits> <JSON>`, appended with a single `write`.
"""

import errno
import json
import os
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reprolm.store import step

PREFIX = 9


def _line(record: dict[str, Any]) -> bytes:
    # NaN and Infinity are kept as Python's JSON writes them: the journal holds the truth
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    # half of a surrogate pair, as file names may hold it, becomes the escape that JSON has for it
    body = text.encode(errors="backslashreplace")
    return b"%08x " % zlib.crc32(body) + body + b"\n"


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The record of an undamaged line, else None."""
    body = line[PREFIX:-1]
    if line[:PREFIX] != b"%08x " % zlib.crc32(body):
        return None
    record: dict[str, Any] = json.loads(body)
    return record


def read(path: Path, offset: int = 0, most: int | None = None) -> tuple[list[dict[str, Any]], int]:
    """The records from byte `offset` on, at most so many, and the offset behind the last.

    A damaged line is passed over; reading stops at a last one that is not whole.
    """
    records: list[dict[str, Any]] = []
    if not path.is_file():
        return records, offset
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if len(records) == most or not line.endswith(b"\n"):
                break
            offset += len(line)
            if (record := _parsed(line)) is not None:
                records.append(record)
    return records, offset


class Journal:
    """Appends records to `path`; a last line there that is not whole is cut off first."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        _, end = read(path)
        if os.fstat(self._file).st_size > end:
            os.ftruncate(self._file, end)

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
