"""Tokenizing on all cores: processes for tokenizers that use one, the tokenizer itself where it uses all.

How many processes there are changes no byte, so that it is no parameter of a result: as many as this process
may use cores. `tokenizers` has threads of its own, which share one vocabulary and start at once.
"""

import collections
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import TracebackType
from typing import Self

from reprolm.errors import Exit, refuse
from reprolm.tokenizers.interface import Ids, Tokenizer
from reprolm.tokenizers.load import load

FEWEST_BYTES = 8 << 20
"""Of less text, starting processes takes longer than the work."""
MOST_PROCESSES = 16
"""More would wait for the one that reads and writes."""
_tokenizer: Tokenizer


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start(directory: Path) -> None:
    """What each process does first; the stage alone hears Ctrl-C."""
    global _tokenizer  # noqa: PLW0603 - a process of a pool has no other place to keep it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_stage, daemon=True).start()
    _tokenizer = load(directory)


def _end_with_stage() -> None:
    """Ends this process when the stage is no more, however that died: a pipe between them closes."""
    stage = multiprocessing.parent_process()
    assert stage is not None
    stage.join()
    os._exit(int(Exit.TERMINATED))


def _encoded(texts: Sequence[str]) -> list[Ids]:
    return _tokenizer.encode_many(texts)


class Workers:
    """Encodes batches of texts in their order; a few batches are on their way at any time, never all."""

    def __init__(self, tokenizer: Tokenizer, directory: Path, total_bytes: int) -> None:
        self.end_of_document = tokenizer.end_of_document
        self._tokenizer, self._directory = tokenizer, directory
        alone = tokenizer.uses_all_cores or total_bytes < FEWEST_BYTES
        self._count = 1 if alone else min(cores(), MOST_PROCESSES)
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
            ReprolmError: a text has a character that the vocabulary lacks (exit 65), or the system killed one
                of the processes, as it does when memory runs out (exit 71).
        """
        if self._pool is None:
            for batch in batches:
                yield batch, self._tokenizer.encode_many(batch)
            return
        try:
            yield from self._ahead(self._pool, batches)
        except BrokenProcessPool as error:
            what, want = "one of the processes that tokenize was killed", "memory for all of them"
            raise refuse(
                "encode", what, got=f"{self._count} processes", want=want, exit=Exit.MEMORY
            ) from error

    def _ahead(
        self, pool: ProcessPoolExecutor, batches: Iterator[list[str]]
    ) -> Iterator[tuple[list[str], list[Ids]]]:
        waiting: collections.deque[tuple[list[str], Future[list[Ids]]]] = collections.deque()
        for batch in batches:
            waiting.append((batch, pool.submit(_encoded, batch)))
            if len(waiting) > 2 * self._count:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
