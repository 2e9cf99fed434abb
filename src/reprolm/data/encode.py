"""Makes shards of tokens from a corpus, in constant memory."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from reprolm.corpus.read import Split, open_corpus
from reprolm.data.config import EncodeConfig
from reprolm.data.shards import (
    ACCOUNT,
    HEADER_BYTES,
    LENGTHS,
    OFFSETS,
    Vocabulary,
    account,
    dtype_for,
    shard_name,
)
from reprolm.data.workers import Workers
from reprolm.processes import batches
from reprolm.progress import Progress
from reprolm.store import publish_directory
from reprolm.tokenizers.interface import Ids
from reprolm.tokenizers.load import load
from reprolm.tokenizers.pieces import pieces

BATCH_CHARACTERS = 1 << 18


class ShardWriter:
    """Appends tokens to the shards of a split; the header of a shard is written when its length is known."""

    def __init__(self, directory: Path, split: str, vocabulary: Vocabulary, most: int) -> None:
        self._directory, self._split, self._vocabulary, self._most = directory, split, vocabulary, most
        self._dtype = dtype_for(vocabulary.vocab_size)
        self.shards: list[int] = []
        self._tokens = 0
        self._offsets = (directory / f"{split}{OFFSETS}").open("xb")
        self.end_document()
        self._begin()

    def _begin(self) -> None:
        self._file = (self._directory / shard_name(self._split, len(self.shards))).open("xb")
        self._file.write(bytes(HEADER_BYTES))
        self.shards.append(0)

    def _finish(self) -> None:
        self._file.seek(0)
        self._file.write(self._vocabulary.header(self.shards[-1]))
        self._file.close()

    def end_document(self) -> None:
        """Notes that a document ends here, and the next begins."""
        self._offsets.write(self._tokens.to_bytes(8, "little"))

    def add(self, ids: Ids) -> None:
        """Appends tokens."""
        self._tokens += len(ids)
        # a cast to 16 bits would wrap in silence
        assert not len(ids) or int(ids.max()) < self._vocabulary.vocab_size
        tokens = ids.astype(self._dtype)
        while len(tokens):
            if self.shards[-1] == self._most:
                self._finish()
                self._begin()
            part = tokens[: self._most - self.shards[-1]]
            self._file.write(part.tobytes())
            self.shards[-1] += len(part)
            tokens = tokens[len(part) :]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish()
        self._offsets.close()


def encode(config: EncodeConfig, corpus: Path, tokenizer: Path, out: Path) -> dict[str, Any]:
    """Publishes the tokens of every split as `out` and returns their numbers.

    Where the vocabulary has `<|endoftext|>`, it follows each document; documents lie one after the other. The
    work is shared by all cores; how many there are changes no byte.

    Raises:
        ReprolmError: a text has a character that the vocabulary lacks (exit 65); corpus or tokenizer is not
            there (exit 66) or damaged (exit 76).
    """
    texts, encoder = open_corpus(corpus), load(tokenizer)
    vocabulary = Vocabulary(encoder.vocab_size, encoder.end_of_document, encoder.digest)
    total = sum(documents.bytes for documents in texts.values())
    splits: dict[str, dict[str, Any]] = {}
    workers = Workers(encoder, tokenizer, total)
    with publish_directory(out) as directory, Progress("encode", total, "bytes") as progress:
        for split, documents in texts.items():
            with ShardWriter(directory, split, vocabulary, config.shard_tokens) as writer:
                count = _encode_split(documents, workers, writer, progress)
            splits[split] = {
                "tokens": sum(writer.shards),
                "documents": count,
                "text_bytes": documents.bytes,
                "shards": writer.shards,
            }
        encoder.token_bytes.astype("<u4").tofile(directory / LENGTHS)
        (directory / ACCOUNT).write_text(account(vocabulary, splits))
    metrics: dict[str, Any] = {"tokens": sum(numbers["tokens"] for numbers in splits.values())}
    for split, numbers in splits.items():
        metrics[f"{split}_tokens"] = numbers["tokens"]
        metrics[f"{split}_bytes_per_token"] = numbers["text_bytes"] / numbers["tokens"]
    return metrics


def _encode_split(documents: Split, workers: Workers, writer: ShardWriter, progress: Progress) -> int:
    """Appends the tokens of all documents and returns how many documents there were."""
    end = [] if workers.end_of_document is None else [workers.end_of_document]
    marker = np.array(end, dtype=np.uint32)
    count = 0
    for batch, encoded in workers.encoded(batches(_marked(documents), BATCH_CHARACTERS)):
        for text, ids in zip(batch, encoded, strict=True):
            writer.add(ids if text else marker)
            if not text:
                writer.end_document()
                count += 1
        progress.advance(sum(len(text.encode("utf-8", "surrogateescape")) for text in batch))
    return count


def _marked(documents: Split) -> Iterator[str]:
    """The pieces of each document and then an empty text, which no piece is."""
    for document in documents.views():
        yield from pieces(document)
        yield ""
