"""Documents of a file, by the ending of its name: text, JSON lines, parquet."""

import json
import mmap
from collections.abc import Generator, Iterator
from pathlib import Path

from reprolm.corpus.opened import content, kind
from reprolm.corpus.text import FORGET_BYTES, Content, Text, check_utf8, divided, forget
from reprolm.errors import refuse

PARQUET_ROWS = 1024


def documents(path: Path, separator: str, field: str, *, strict: bool) -> Generator[Text, None, int | None]:
    """The documents of a file; `strict` refuses text that is not UTF-8, with its place.

    A line of JSON or a row of parquet is a document, the text under `field`; other text is divided by
    `separator`. Returns how many separators were found, None where the format needs none.

    Raises:
        ReprolmError: the file is missing (exit 66), damaged, or lacks the field (exit 65).
    """
    if kind(path.name) == ".parquet":
        yield from parquet(path, field)
        return None
    inside = content(path)
    if kind(path.name) in (".jsonl", ".ndjson"):
        yield from json_lines(inside, field, str(path))
        return None
    if strict:
        check_utf8(inside, str(path))
    return (yield from divided(inside, separator))


def _lines(inside: Content) -> Iterator[bytes]:
    if not isinstance(inside, mmap.mmap):
        return
    forgotten = 0
    while line := inside.readline():
        yield line
        if inside.tell() >= forgotten + FORGET_BYTES:
            forgotten = inside.tell()
            forget(memoryview(inside))


def json_lines(inside: Content, field: str, where: str) -> Iterator[bytes]:
    """The text under `field` of each line; blank lines are passed over."""
    for number, line in enumerate(_lines(inside), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise refuse(f"{where}, line {number}", "is not JSON", got=str(error)) from error
        text = row.get(field) if isinstance(row, dict) else None
        if not isinstance(text, str):
            found = ", ".join(row) if isinstance(row, dict) else type(row).__name__
            raise refuse(f"{where}, line {number}", f"has no text under {field!r}", got=found,
                         want="the name of a field with text as data.files.field")  # fmt: skip
        # JSON can escape half a character, which is no UTF-8: data.hygiene.invalid_utf8 says what is done
        if document := text.encode("utf-8", "surrogatepass"):
            yield document


def parquet(path: Path, field: str) -> Iterator[bytes]:
    """The texts of a column, some rows at a time; null and empty ones are passed over."""
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        columns = file.schema_arrow
        if field not in columns.names:
            raise refuse(str(path), f"has no column {field!r}", got=", ".join(columns.names),
                         want="the name of a column with text as data.files.field")  # fmt: skip
        kind_of = columns.field(field).type
        if not (pyarrow.types.is_string(kind_of) or pyarrow.types.is_large_string(kind_of)):
            raise refuse(str(path), f"has no text in column {field!r}", got=str(kind_of), want="strings")
        for batch in file.iter_batches(batch_size=PARQUET_ROWS, columns=[field]):
            for value in batch.column(0):
                if value.is_valid and (document := value.as_buffer().to_pybytes()):
                    yield document
    except (pyarrow.ArrowException, OSError) as error:
        raise refuse(str(path), "cannot be read as parquet", got=str(error).splitlines()[0]) from error
