"""Tokenizing on all cores: processes for tokenizers that use one, the tokenizer itself where it uses all."""

import collections
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from reprolm.tokenizers.interface import Ids, Tokenizer
from reprolm.tokenizers.load import load

FEWEST_BYTES = 8 << 20
"""Of less text, starting processes takes longer than the work."""
PR_SET_PDEATHSIG = 1
_tokenizer: Tokenizer


def _start(directory: Path) -> None:
    """What each process does first. It dies with the stage, which alone hears Ctrl-C."""
    global _tokenizer  # noqa: PLW0603 - a process of a pool has no other place to keep it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _tokenizer = load(directory)


def _encoded(texts: Sequence[str]) -> list[Ids]:
    return _tokenizer.encode_many(texts)


class Workers:
    """Encodes batches of texts in their order; a few batches are on their way at any time, never all."""

    def __init__(self, tokenizer: Tokenizer, directory: Path, total_bytes: int) -> None:
        self.end_of_document = tokenizer.end_of_document
        self._tokenizer, self._directory = tokenizer, directory
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        alone = tokenizer.uses_all_cores or total_bytes < FEWEST_BYTES
        self._count = 1 if alone else cores
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        if self._count > 1:
            # fresh processes: a fork would copy this one's threads halfway
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._count, context, _start, (self._directory,))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=error is None, cancel_futures=True)

    def encoded(self, batches: Iterator[list[str]]) -> Iterator[tuple[list[str], list[Ids]]]:
        """Each batch with the ids of its texts.

        Raises:
            ReprolmError: a text has a character that the vocabulary lacks (exit 65).
        """
        if self._pool is None:
            for batch in batches:
                yield batch, self._tokenizer.encode_many(batch)
            return
        waiting: collections.deque[tuple[list[str], Future[list[Ids]]]] = collections.deque()
        for batch in batches:
            waiting.append((batch, self._pool.submit(_encoded, batch)))
            if len(waiting) > 2 * self._count:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
