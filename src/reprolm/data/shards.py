"""Tokens on disk: files that are mapped into memory, each with a header that says what its tokens are.

A shard is 512 bytes of header (a magic word, JSON, padding) and then its tokens, little-endian, 16 bits wide
if the vocabulary has at most 65,536 entries, else 32. `tokens.json` describes the directory, `token_bytes`
holds the number of UTF-8 bytes that each id stands for, as little-endian 32-bit numbers; `<split>.documents`
holds where each document begins, and where the last ends, in tokens, as little-endian 64-bit numbers.
"""

import functools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from reprolm.errors import Exit, refuse
from reprolm.store import canonical, read_json

MAGIC = b"reprolm\x01"
HEADER_BYTES = 512
ACCOUNT = "tokens.json"
LENGTHS = "token_bytes"
OFFSETS = ".documents"
Array = npt.NDArray[np.int64]


def dtype_for(vocab_size: int) -> np.dtype[Any]:
    """The narrowest unsigned type that holds every id."""
    return np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")


def shard_name(split: str, index: int) -> str:
    """The file of the shard `index` of a split."""
    return f"{split}-{index:05}.bin"


@dataclass(frozen=True)
class Vocabulary:
    """What must agree between tokens and whoever reads them."""

    vocab_size: int
    end_of_document: int | None
    tokenizer_digest: str

    def header(self, tokens: int) -> bytes:
        """The header of a shard with so many tokens."""
        content = asdict(self) | {"dtype": dtype_for(self.vocab_size).str, "tokens": tokens}
        text = canonical(content).encode()
        assert len(MAGIC) + len(text) < HEADER_BYTES
        return (MAGIC + text).ljust(HEADER_BYTES - 1) + b"\n"


class Tokens:
    """The tokens of one split as one sequence: `tokens[a:b]` is an int64 array, whatever shards it lies in.

    The headers are compared with the account here; that the files are those of the manifest is for
    `store.verified` to say.

    Raises:
        ReprolmError: the split is missing (exit 66), or a shard is not what the account says (exit 76).
    """

    def __init__(self, directory: Path, split: str) -> None:
        account = read_json(directory / ACCOUNT)
        if split not in account["splits"]:
            raise refuse(str(directory), f"has no split {split}", exit=Exit.MISSING)
        numbers = account["splits"][split]
        vocabulary = Vocabulary(
            account["vocab_size"], account["end_of_document"], account["tokenizer_digest"]
        )
        self.directory, self.split = directory, split
        self.vocab_size = vocabulary.vocab_size
        self.end_of_document = vocabulary.end_of_document
        self.tokenizer_digest = vocabulary.tokenizer_digest
        self.documents: int = numbers["documents"]
        self.text_bytes: int = numbers["text_bytes"]
        self.token_bytes = np.fromfile(directory / LENGTHS, dtype="<u4").astype(np.int64)
        self._shards = [
            _opened(directory / shard_name(split, i), vocabulary, tokens)
            for i, tokens in enumerate(numbers["shards"])
        ]
        self._sliding = functools.lru_cache(maxsize=64)(self._windows_of)
        self._ends = np.cumsum([len(shard) for shard in self._shards], dtype=np.int64)
        self.document_offsets = self._offsets(directory / f"{split}{OFFSETS}")

    def _offsets(self, path: Path) -> Array:
        """Where each document begins, and where the last ends, mapped."""
        if not path.is_file():
            raise refuse(str(path), "is not there", exit=Exit.MISSING)
        size, wanted = path.stat().st_size, 8 * (self.documents + 1)
        if size != wanted:
            raise refuse(str(path), "has another size", got=size, want=f"{wanted} bytes", exit=Exit.INTEGRITY)
        offsets: Array = np.asarray(np.memmap(path, dtype="<i8", mode="r"))
        if offsets[-1] != len(self):
            want = f"{len(self)} tokens"
            raise refuse(
                str(path), "does not fit its tokens", got=int(offsets[-1]), want=want, exit=Exit.INTEGRITY
            )
        return offsets

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, at: slice) -> Array:
        start, stop, step = at.indices(len(self))
        assert step == 1
        result = np.empty(max(0, stop - start), dtype=np.int64)
        self._read(start, result)
        return result

    def windows(self, starts: Array, length: int) -> Array:
        """The `length` tokens from each of `starts` on, one row each."""
        assert not len(starts) or (starts.min() >= 0 and starts.max() + length <= len(self))
        result = np.empty((len(starts), length), dtype=np.int64)
        shards = self._ends.searchsorted(starts, side="right")
        whole = starts + length <= self._ends[shards]
        for shard in set(shards[whole].tolist()):
            # one copy for all rows in a shard: a loop over rows takes several times as long
            here, tokens = np.flatnonzero(whole & (shards == shard)), self._shards[shard]
            first = starts[here] - (self._ends[shard] - len(tokens))
            result[here] = self._sliding(shard, length)[first]
        for row in np.flatnonzero(~whole).tolist():
            self._read(int(starts[row]), result[row])
        return result

    def _windows_of(self, shard: int, length: int) -> npt.NDArray[Any]:
        """All of a shard, without a copy."""
        return sliding_window_view(self._shards[shard], length)

    def _read(self, start: int, into: Array) -> None:
        assert 0 <= start <= len(self) - len(into)
        shard = int(self._ends.searchsorted(start, side="right"))
        while len(into):
            tokens = self._shards[shard]
            first = start - (int(self._ends[shard]) - len(tokens))
            part = tokens[first : first + len(into)]
            into[: len(part)] = part
            into, start, shard = into[len(part) :], start + len(part), shard + 1

    def require(self, context_length: int) -> None:
        """Refuses a split that is shorter than one window.

        Raises:
            ReprolmError: with the tokens found and needed (exit 65).
        """
        if len(self) < context_length + 1:
            raise refuse(
                "model.context_length",
                f"the {self.split} split is shorter than one window",
                got=f"{len(self)} tokens",
                want=f"at least {context_length + 1} tokens (model.context_length + 1)",
            )


def _opened(path: Path, vocabulary: Vocabulary, tokens: int) -> npt.NDArray[Any]:
    """The tokens of a shard, mapped."""
    dtype = dtype_for(vocabulary.vocab_size)
    if not path.is_file():
        raise refuse(str(path), "is not there", exit=Exit.MISSING)
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    if header != vocabulary.header(tokens):
        raise refuse(
            str(path), "has a header that does not fit",
            got=_content(header), want=_content(vocabulary.header(tokens)), exit=Exit.INTEGRITY,
        )  # fmt: skip
    size = HEADER_BYTES + tokens * dtype.itemsize
    if path.stat().st_size != size:
        raise refuse(
            str(path), "has another size", got=path.stat().st_size, want=f"{size} bytes", exit=Exit.INTEGRITY
        )
    # a plain array over the mapping: slices of `memmap` itself cost several times as much
    return np.asarray(np.memmap(path, dtype=dtype, mode="r", offset=HEADER_BYTES, shape=(tokens,)))


def _content(header: bytes) -> str:
    if not header.startswith(MAGIC):
        return f"no header of reprolm: {header[:16]!r}"
    return header[len(MAGIC) :].decode("utf-8", "replace").strip()


def account(vocabulary: Vocabulary, splits: dict[str, Any]) -> str:
    """The content of `tokens.json`."""
    dtype = dtype_for(vocabulary.vocab_size).name
    return json.dumps({**asdict(vocabulary), "dtype": dtype, "splits": splits}, indent=1) + "\n"
