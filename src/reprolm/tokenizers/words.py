"""Counts the words of a text, on several processes where it is long."""

import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection

from reprolm.tokenizers.bytelevel import splitter

BATCH_CHARACTERS = 1 << 20
ALONE_BATCHES = 4
"""A process takes as long to start as so many batches take to count."""


def count_words(texts: Iterable[str], pattern: str, processes: int) -> Counter[str]:
    """How often each word of `pattern` occurs in `texts`, whatever their order and the number of processes.

    This process reads the texts, and counts those that no other is free for.
    """
    words = splitter(pattern)
    counts: Counter[str] = Counter()
    helpers: list[_Helper] = []
    for number, batch in enumerate(_batches(texts)):
        if number == ALONE_BATCHES:
            helpers = [_Helper(pattern) for _ in range(processes - 1)]
        free = next((helper for helper in helpers if helper.free()), None)
        if free is not None:
            free.give(batch)
        else:
            for text in batch:
                counts.update(words(text))
    for helper in helpers:
        counts.update(helper.result())
    return counts


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _Helper:
    """A process that counts words. It ends when the pipe to this one does, whatever ended this one."""

    def __init__(self, pattern: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_help, args=(theirs, pattern), daemon=True)
        self._process.start()
        theirs.close()
        self._free = False

    def free(self) -> bool:
        """Whether it waits for a batch."""
        if not self._free and self._pipe.poll():
            self._pipe.recv()
            self._free = True
        return self._free

    def give(self, batch: list[str]) -> None:
        self._pipe.send(batch)
        self._free = False

    def result(self) -> Counter[str]:
        """All that it counted."""
        if not self._free:
            self._pipe.recv()
        self._pipe.send(None)
        counts: Counter[str] = self._pipe.recv()
        self._process.join()
        return counts


def _help(pipe: Connection, pattern: str) -> None:
    words = splitter(pattern)
    counts: Counter[str] = Counter()
    try:
        while True:
            pipe.send("free")
            batch = pipe.recv()
            if batch is None:
                break
            for text in batch:
                counts.update(words(text))
        pipe.send(counts)
    except (EOFError, BrokenPipeError):
        return
