"""What the sources have in common: valid UTF-8, and documents divided by a separator."""

import codecs
import mmap
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from reprolm.errors import Exit, refuse

CHUNK_BYTES = 1 << 20
FORGET_BYTES = 4 << 20
CONTEXT_BYTES = 16
Text = bytes | memoryview
Content = bytes | mmap.mmap


class Source(Protocol):
    """Documents in an order of their own, each of them valid UTF-8 and not empty."""

    facts: dict[str, str | int]
    """What is to be recorded of the source, complete after the last document."""

    @property
    def file(self) -> str:
        """The file of one's own in which the last document stands; "" where it is not from one."""
        ...

    def __iter__(self) -> Iterator[Text]:
        """The documents, one after the other."""
        ...


def mapped(path: Path) -> Content:
    """The bytes of a file, read as they are needed.

    Raises:
        ReprolmError: there is no such file (exit 66).
    """
    if not path.is_file():
        raise refuse(str(path), "is not there", exit=Exit.MISSING)
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def forget(view: memoryview) -> None:
    """Lets go of the pages of a mapped file that were read; they come again when they are looked at again.

    They would be the system's to take at any time, but until then they count as memory of this process.
    """
    if isinstance(view.obj, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        view.obj.madvise(mmap.MADV_DONTNEED)


def forgetting(documents: Iterable[memoryview]) -> Iterator[memoryview]:
    """The documents; pages are let go of after every 4 MiB."""
    size = 0
    for document in documents:
        yield document
        size += len(document)
        if size > FORGET_BYTES:
            forget(document)
            size = 0


def check_utf8(content: Content, where: str) -> None:
    """Refuses bytes that are not UTF-8, in constant memory.

    Raises:
        ReprolmError: with byte offset, line and the bytes around (exit 65).
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, max(len(content), 1), CHUNK_BYTES):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(content[start : start + CHUNK_BYTES], final=start + CHUNK_BYTES >= len(content))
        except UnicodeDecodeError as error:
            raise refuse_bytes(content, start - pending + error.start, where) from error
        if start % FORGET_BYTES == 0 and len(content):
            forget(memoryview(content))


def refuse_bytes(content: Content, offset: int, where: str) -> Exception:
    """The error for the first byte that does not belong to UTF-8."""
    line = 1 + sum(
        content[start : min(start + CHUNK_BYTES, offset)].count(b"\n")
        for start in range(0, offset, CHUNK_BYTES)
    )
    first = max(0, offset - CONTEXT_BYTES // 2)
    found = content[first : first + CONTEXT_BYTES].hex(" ")
    return refuse(
        where,
        f"is not UTF-8: byte {content[offset]:#04x} at offset {offset}, line {line}",
        got=found,
        want="UTF-8 text",
    )


def divided(content: Content, separator: str) -> Generator[Text, None, int]:
    r"""The documents between separators; all of `content` without one. Documents of white space are left out.

    A separator that stands alone on a line takes its line break with it. Returns how many were found.

    >>> list(divided(b"one\n<|endoftext|>\ntwo\n", "<|endoftext|>"))
    [b'one\n', b'two\n']
    """
    if not separator:
        if len(content):
            yield memoryview(content)
        return 0
    pattern, start, forgotten, count = separator.encode(), 0, 0, 0
    while start < len(content):
        if start >= forgotten + FORGET_BYTES:
            forgotten = start
            forget(memoryview(content))
        found = content.find(pattern, start)
        end = len(content) if found < 0 else found
        count += found >= 0
        piece = content[start:end]
        if piece.strip():
            yield piece
        start = end + len(pattern)
        alone = end == 0 or content[end - 1 : end] == b"\n"
        if alone and "\n" not in separator and content[start : start + 1] == b"\n":
            start += 1
    return count
