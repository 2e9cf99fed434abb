"""Makes the corpus: streams a source to disk, splits it, publishes text, document offsets and an account."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from reprolm.corpus.config import DataConfig
from reprolm.corpus.division import Division
from reprolm.corpus.docstrings import Docstrings
from reprolm.corpus.files import Files
from reprolm.corpus.hub import HuggingFace
from reprolm.corpus.hygiene import Hygiene
from reprolm.corpus.mixture import Limited, Mixture
from reprolm.corpus.read import SPLITS
from reprolm.corpus.spool import Spool
from reprolm.corpus.synthetic.source import Synthetic
from reprolm.corpus.text import CHUNK_BYTES, FORGET_BYTES, Source, forget, mapped
from reprolm.corpus.url import Url
from reprolm.errors import Exit, ReprolmError, refuse
from reprolm.store import publish_directory

ACCOUNT, REPORT = "corpus.json", "hygiene.json"


def source(config: DataConfig, root: Path) -> Source:
    """The source that `data.source` names, up to the limit."""
    if config.source == "mixture":
        shares = config.mixture.shares
        chosen: Source = Mixture({name: _single(name, config, root) for name in shares}, shares)
    else:
        chosen = _single(config.source, config, root)
    limited = config.limit.bytes is not None or config.limit.documents is not None
    return Limited(chosen, config.limit) if limited else chosen


def _single(name: str, config: DataConfig, root: Path) -> Source:
    strict = config.hygiene.invalid_utf8 == "refuse"
    made: dict[str, Callable[[], Source]] = {
        "docstrings": lambda: Docstrings(config.docstrings),
        "files": lambda: Files(config.files, strict=strict),
        "url": lambda: Url(config.url, root, strict=strict),
        "huggingface": lambda: HuggingFace(config.huggingface),
        "synthetic": lambda: Synthetic(config.synthetic),
    }
    return made[name]()


class SplitWriter:
    """Writes `<split>.txt`, the documents one after the other, and `<split>.offsets`, where each begins."""

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / f"{name}.txt"
        self._text = self.path.open("xb")
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
            if start and start % FORGET_BYTES == 0:
                forget(document)
            self._text.write(chunk)
            self._digest.update(chunk)
            # every byte of a character but the first is 10xxxxxx
            self.characters += int(np.count_nonzero(np.frombuffer(chunk, np.uint8) & 0xC0 != 0x80))
        self.documents += 1
        self.bytes += len(document)
        self._mark()

    def flush(self) -> None:
        """Lets others read what was added."""
        self._text.flush()

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


def build(config: DataConfig, out: Path, root: Path) -> dict[str, Any]:
    """Publishes the corpus as `out` and returns its numbers; the repository `root` keeps what is downloaded.

    Raises:
        ReprolmError: the source cannot be had (exit 2, 66, 69, 76, 77), is empty, leaves a split so, or holds
            what is to be refused (65).
    """
    documents, hygiene = source(config, root), Hygiene(config.hygiene, _parameter(config))
    with publish_directory(out) as directory:
        spool = Spool(directory, documents, hygiene)
        if not spool.documents:
            found = config.files.path if config.source == "files" else None
            raise refuse(_parameter(config), "holds no text", got=found, want="at least one document")
        division = Division(config, spool)
        # before anything is written, but for near copies, which are told with the rest when train is there
        if config.hygiene.near_duplicates != "refuse":
            _refuse(hygiene, division)
        writers = {name: SplitWriter(directory, name) for name in SPLITS}
        with writers["train"] as train, writers["validation"] as validation, writers["test"] as test:
            # first all of train: only then it is known what of the others stands there
            for text in division.train():
                train.add(text)
            train.flush()
            division.compare(memoryview(mapped(train.path)))
            _refuse(hygiene, division)
            for split, text in division.held_out():
                (train, validation, test)[split].add(text)
        spool.remove()
        splits = {name: writer.account() for name, writer in writers.items()}
        _refuse_empty(splits, division.by)
        account: dict[str, Any] = {"source": config.source, **documents.facts, "split_by": division.by}
        account |= {"duplicate_documents": division.duplicates, "splits": splits}
        (directory / ACCOUNT).write_text(json.dumps(account, indent=1) + "\n")
        found_odd = {name: asdict(finding) for name, finding in hygiene.findings.items()}
        report = {"findings": found_odd, **division.report()}
        (directory / REPORT).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    metrics = {
        "documents": division.documents,
        "duplicate_documents": division.duplicates,
        "near_duplicate_documents": division.near,
        "repaired_documents": hygiene.repaired_documents,
    }
    return metrics | _metrics(splits)


def _parameter(config: DataConfig) -> str:
    return {
        "docstrings": "data.docstrings.packages",
        "files": "data.files.path",
        "url": "data.url.name",
        "huggingface": "data.huggingface.dataset",
        "synthetic": "data.synthetic.documents",
        "mixture": "data.mixture",
    }[config.source]


def _refuse(hygiene: Hygiene, division: Division) -> None:
    """Refuses what was found, all at once."""
    if problems := [*hygiene.refused, *division.refused]:
        raise ReprolmError(problems, Exit.DATA)


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


def _metrics(splits: dict[str, dict[str, Any]]) -> dict[str, int]:
    metrics: dict[str, int] = {}
    for key in ("bytes", "characters"):
        metrics[key] = sum(numbers[key] for numbers in splits.values())
    for name, numbers in splits.items():
        metrics |= {f"{name}_{key}": numbers[key] for key in ("documents", "bytes", "characters")}
    return metrics
