"""Work on all cores, in processes that die with this one."""

import collections
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from reprolm.errors import Exit, refuse

Item = TypeVar("Item")
Result = TypeVar("Result")
PARENT_DIED = signal.SIGRTMIN + 2 if sys.platform == "linux" else 0
"""What the kernel is asked to send to a stage when its `dvc` dies; 0 where it cannot be asked.

Not SIGTERM: whoever tells both to stop would seem to have told the stage twice.
"""
MOST = 16
"""More processes would wait for the one that hands out the work."""


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def batches(texts: Iterable[str], most_characters: int) -> Iterator[list[str]]:
    """Texts in lists of so many characters: enough to keep a core at work, and bounded.

    >>> list(batches(["ab", "c", "def", "g"], 3))
    [['ab', 'c'], ['def'], ['g']]
    """
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= most_characters:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _started(start: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    """What each process does first; only the one that began it hears Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if start is not None:
        start(*arguments)


def _end_with_parent() -> None:
    """Ends this process when the one that began it is gone, however it died: a pipe between them closes."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(int(Exit.TERMINATED))


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    start: Callable[..., None] | None = None,
    arguments: tuple[Any, ...] = (),
) -> Iterator[tuple[Item, Result]]:
    """Each item with `function` of it, in order; some are on their way at any time, never all.

    Every process calls `start(*arguments)` first. What `function` raises is raised here.

    Raises:
        ReprolmError: a process ended early: the system kills it when memory runs out (exit 71).
    """
    count = min(cores(), MOST)
    # fresh processes: a fork would copy this one's threads halfway
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, context, _started, (start, arguments))
    waiting: collections.deque[tuple[Item, Future[Result]]] = collections.deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) > 2 * count:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    except BrokenProcessPool as error:
        what, want = "a process ended before its work was done", "enough for all of them"
        raise refuse("memory", what, got=f"{count} processes", want=want, exit=Exit.MEMORY) from error
    finally:
        pool.shutdown(wait=not waiting, cancel_futures=True)
