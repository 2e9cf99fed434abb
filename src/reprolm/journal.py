"""An append-only file of checksummed records: what a killed process wrote is kept, a torn last line cut off.

One record is one line, `<crc32 of the JSON, 8 hex digits> <JSON>`, appended with a single `write`.
"""

import errno
import itertools
import json
import os
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reprolm.store import publish_file, step

PREFIX = 9


def _line(record: dict[str, Any]) -> bytes:
    # NaN and Infinity are kept as Python's JSON writes them: the journal holds the truth
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    # half of a surrogate pair, as file names may hold it, becomes the escape that JSON has for it
    body = text.encode(errors="backslashreplace")
    return b"%08x " % zlib.crc32(body) + body + b"\n"


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The record of a whole and undamaged line, else None."""
    if not line.endswith(b"\n") or len(line) <= PREFIX:
        return None
    body = line[PREFIX:-1]
    if line[:PREFIX] != b"%08x " % zlib.crc32(body):
        return None
    record: dict[str, Any] = json.loads(body)
    return record


def read(path: Path, offset: int = 0, most: int | None = None) -> tuple[list[dict[str, Any]], int]:
    """The records from byte `offset` on, at most so many, and the offset behind the last.

    Reading stops at a damaged line.
    """
    records: list[dict[str, Any]] = []
    if not path.is_file():
        return records, offset
    with path.open("rb") as file:
        file.seek(offset)
        for line in itertools.islice(file, most):
            record = _parsed(line)
            if record is None:
                break
            records.append(record)
            offset += len(line)
    return records, offset


class Journal:
    """Appends records to `path`; what follows the last undamaged record there is cut off first."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = self._opened()
        _, end = read(path)
        if os.fstat(self._file).st_size > end:
            os.ftruncate(self._file, end)

    def _opened(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)

    def append(self, record: dict[str, Any]) -> None:
        """Adds one record; it survives a kill of this process at once, a power cut after `sync`."""
        step("journal")
        line = _line(record)
        if os.write(self._file, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def rewrite(self, records: list[dict[str, Any]]) -> None:
        """Keeps just `records`: a resumed run drops what came after the checkpoint it starts from."""
        publish_file(self.path, b"".join(map(_line, records)))
        self.close()
        self._file = self._opened()

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
