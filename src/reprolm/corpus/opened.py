"""Files as bytes in memory that the system pages in, compressed ones unpacked first."""

import bz2
import functools
import gzip
import lzma
import mmap
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Any

import zstandard

from reprolm.corpus.text import CHUNK_BYTES, Content, mapped
from reprolm.errors import refuse

LARGEST_RATIO, FREE_BYTES = 200, 16 << 20
"""A file that unpacks to more than 200 times its size, past 16 MiB, is taken for a trap."""
LARGEST_WINDOW_BYTES = 128 << 20
ZSTD_BYTES = 4096
"""Little at once: a few bytes of zstd can stand for many megabytes."""


def _read(opener: Callable[[Path], Any]) -> Callable[[Path], Iterator[bytes]]:
    def chunks(path: Path) -> Iterator[bytes]:
        with opener(path) as file:
            yield from iter(functools.partial(file.read, CHUNK_BYTES), b"")

    return chunks


def _zstd(path: Path) -> Iterator[bytes]:
    """Frame by frame: the library's own reader takes a file that was cut off for a whole one."""
    reader = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW_BYTES)
    frame = reader.decompressobj()
    with path.open("rb") as file:
        while packed := file.read(ZSTD_BYTES):
            while packed:
                yield frame.decompress(packed)
                packed = frame.unused_data if frame.eof else b""
                frame = reader.decompressobj() if packed else frame
    if not frame.eof:
        raise EOFError("the file ends in the middle of a frame")


UNPACKERS: dict[str, Callable[[Path], Iterator[bytes]]] = {
    ".gz": _read(gzip.GzipFile),
    ".bz2": _read(bz2.BZ2File),
    ".xz": _read(lzma.LZMAFile),
    ".zst": _zstd,
}
DAMAGE = (OSError, EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError)


def kind(name: str) -> str:
    """The ending that tells the format, that of compression left out.

    >>> kind("stories.jsonl.gz"), kind("a.txt"), kind("b.xz")
    ('.jsonl', '.txt', '')
    """
    path = PurePath(name.lower())
    return PurePath(path.stem).suffix if path.suffix in UNPACKERS else path.suffix


def content(path: Path, name: str | None = None) -> Content:
    """The bytes of a file, unpacked if its name (or `name`) says that it is compressed; in constant memory.

    Raises:
        ReprolmError: there is no such file (exit 66); it is damaged, or unpacks beyond all measure (exit 65).
    """
    unpacker = UNPACKERS.get(PurePath((name or path.name).lower()).suffix)
    whole = mapped(path)
    if unpacker is None:
        return whole
    limit = max(FREE_BYTES, LARGEST_RATIO * len(whole))
    with tempfile.TemporaryFile() as out:
        try:
            for chunk in unpacker(path):
                out.write(chunk)
                if out.tell() > limit:
                    break
        except DAMAGE as error:
            raise refuse(str(path), "cannot be unpacked", got=str(error) or type(error).__name__) from error
        size = out.tell()
        if size > limit:
            raise refuse(str(path), f"unpacks to more than {LARGEST_RATIO} times its size", got=len(whole),
                         want="a file that is what it seems")  # fmt: skip
        out.flush()
        return mmap.mmap(out.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
