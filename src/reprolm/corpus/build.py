"""Makes the corpus: streams a source to disk, splits it, publishes text, document offsets and an account."""

import array
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from reprolm.corpus.config import DataConfig
from reprolm.corpus.docstrings import Docstrings
from reprolm.corpus.files import Files
from reprolm.corpus.read import SPLITS
from reprolm.corpus.split import by_document, by_position, unit
from reprolm.corpus.text import CHUNK_BYTES, Source, mapped
from reprolm.corpus.url import Url
from reprolm.errors import refuse
from reprolm.store import publish_directory

ACCOUNT = "corpus.json"
SPOOL = "spool"


def source(config: DataConfig, cache: Path) -> Source:
    """The source that `data.source` names."""
    match config.source:
        case "docstrings":
            return Docstrings(config.docstrings)
        case "files":
            return Files(config.files)
        case "url":
            return Url(config.url, cache)


class SplitWriter:
    """Writes `<split>.txt`, the documents one after the other, and `<split>.offsets`, where each begins."""

    def __init__(self, directory: Path, name: str) -> None:
        self._text = (directory / f"{name}.txt").open("xb")
        self._offsets = (directory / f"{name}.offsets").open("xb")
        self._digest = hashlib.sha256()
        self.documents = self.bytes = self.characters = 0
        self._mark()

    def _mark(self) -> None:
        self._offsets.write(self.bytes.to_bytes(8, "little"))

    def add(self, document: memoryview) -> None:
        """Appends a document."""
        for start in range(0, len(document), CHUNK_BYTES):
            chunk = document[start : start + CHUNK_BYTES]
            self._text.write(chunk)
            self._digest.update(chunk)
            # every byte of a character but the first is 10xxxxxx
            self.characters += int(np.count_nonzero(np.frombuffer(chunk, np.uint8) & 0xC0 != 0x80))
        self.documents += 1
        self.bytes += len(document)
        self._mark()

    def account(self) -> dict[str, int | str]:
        """What was written."""
        return {
            "documents": self.documents,
            "bytes": self.bytes,
            "characters": self.characters,
            "sha256": self._digest.hexdigest(),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._text.close()
        self._offsets.close()


class _Spool:
    """All documents in the order of the source: a split by content can be told only when all are known."""

    def __init__(self, path: Path, documents: Source) -> None:
        self.path, self._source = path, documents
        self.digests, sizes = bytearray(), array.array("Q")
        with path.open("xb") as file:
            for document in documents:
                file.write(document)
                sizes.append(len(document))
                self.digests += hashlib.sha256(document).digest()
        self.sizes = np.array(sizes, dtype=np.uint64)

    def __iter__(self) -> Iterator[memoryview]:
        view, start = memoryview(mapped(self.path)), 0
        for size in self.sizes.tolist():
            yield view[start : start + size]
            start += size


def build(config: DataConfig, out: Path, cache: Path) -> dict[str, Any]:
    """Publishes the corpus as `out` and returns its numbers; `cache` keeps downloads.

    Raises:
        ReprolmError: the source cannot be had (exit 2, 66, 69, 76, 77), is empty, or leaves a split so (65).
    """
    documents = source(config, cache)
    with publish_directory(out) as directory:
        spool = _Spool(directory / SPOOL, documents)
        if not len(spool.sizes):
            found = config.files.path if config.source == "files" else None
            raise refuse(_parameter(config), "holds no text", got=found, want="at least one document")
        by = unit(config.split, len(spool.sizes))
        assigned, duplicates = by_document(bytes(spool.digests), spool.sizes, config.split)
        writers = {name: SplitWriter(directory, name) for name in SPLITS}
        with writers["train"] as train, writers["validation"] as validation, writers["test"] as test:
            for document, split in zip(spool, assigned, strict=True):
                if by == "document":
                    (train, validation, test)[split].add(document)
                else:
                    _add_parts((train, validation, test), by_position(document, config.split))
        spool.path.unlink()
        splits = {name: writer.account() for name, writer in writers.items()}
        _refuse_empty(splits, by)
        account: dict[str, Any] = {"source": config.source, **documents.facts, "split_by": by}
        account |= {"duplicate_documents": duplicates, "splits": splits}
        (directory / ACCOUNT).write_text(json.dumps(account, indent=1) + "\n")
    return _metrics(len(spool.sizes), duplicates, splits)


def _parameter(config: DataConfig) -> str:
    return {
        "docstrings": "data.docstrings.packages",
        "files": "data.files.path",
        "url": "data.url.name",
    }[config.source]


def _add_parts(writers: tuple[SplitWriter, ...], parts: list[memoryview]) -> None:
    for writer, part in zip(writers, parts, strict=True):
        if len(part):
            writer.add(part)


def _refuse_empty(splits: dict[str, dict[str, Any]], by: str) -> None:
    for name, numbers in splits.items():
        if not numbers["bytes"]:
            hint = "; or data.split.by: position" if by == "document" else ""
            raise refuse(
                f"data.split.{name}",
                f"the {name} split would be empty",
                got=", ".join(f"{key} {value['documents']} documents" for key, value in splits.items()),
                want=f"more text or a larger share{hint}",
            )


def _metrics(documents: int, duplicates: int, splits: dict[str, dict[str, Any]]) -> dict[str, int]:
    metrics = {"documents": documents, "duplicate_documents": duplicates}
    for key in ("bytes", "characters"):
        metrics[key] = sum(numbers[key] for numbers in splits.values())
    for name, numbers in splits.items():
        metrics |= {f"{name}_{key}": numbers[key] for key in ("documents", "bytes", "characters")}
    return metrics
