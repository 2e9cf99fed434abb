"""All documents on disk, in the order of the source: where one goes can be told only when all are known."""

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reprolm.corpus.hygiene import Hygiene
from reprolm.corpus.text import Source, forgetting, mapped
from reprolm.errors import ReprolmError

RECORD = struct.Struct("<32sQ")
RECORDS_AT_ONCE = 4096
_DIGEST = np.dtype([("digest", ">u8", 4), ("size", "<u8")])


class Spool:
    """The text, and beside it the sha256 and the size of each document: memory holds none of them.

    Raises:
        ReprolmError: the source cannot be read to its end; what was found until then is told with it.
    """

    def __init__(self, directory: Path, source: Source, hygiene: Hygiene) -> None:
        self._text, self._records = directory / "spool", directory / "spool.documents"
        self.documents = 0
        try:
            self._fill(source, hygiene)
        except ReprolmError as error:
            raise ReprolmError([*hygiene.refused, *error.problems], error.exit) from error

    def _fill(self, source: Source, hygiene: Hygiene) -> None:
        with self._text.open("xb") as file, self._records.open("xb") as records:
            for document in forgetting(map(memoryview, source)):
                digest, start = hashlib.sha256(), file.tell()
                for piece in hygiene.clean(document, source.file):
                    file.write(piece)
                    digest.update(piece)
                if file.tell() > start:
                    records.write(RECORD.pack(digest.digest(), file.tell() - start))
                    self.documents += 1

    def records(self) -> Iterator[tuple[bytes, int]]:
        """The sha256 and the size of each document."""
        for block in self._blocks():
            yield from RECORD.iter_unpack(block)

    def digests(self) -> Iterator[npt.NDArray[np.uint64]]:
        """The sha256 of each document as four numbers, many at once."""
        for block in self._blocks():
            yield np.frombuffer(block, dtype=_DIGEST)["digest"].astype(np.uint64)

    def texts(self) -> Iterator[tuple[bytes, memoryview]]:
        """The sha256 and the text of each document."""
        view = memoryview(mapped(self._text))

        def views() -> Iterator[memoryview]:
            start = 0
            for _, size in self.records():
                yield view[start : start + size]
                start += size

        digests = (digest for digest, _ in self.records())
        return zip(digests, forgetting(views()), strict=True)

    def remove(self) -> None:
        """Removes the files."""
        self._text.unlink()
        self._records.unlink()

    def _blocks(self) -> Iterator[bytes]:
        with self._records.open("rb") as file:
            while block := file.read(RECORDS_AT_ONCE * RECORD.size):
                yield block
