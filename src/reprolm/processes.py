"""Work on all cores, in processes that die with this one."""

import collections
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
PR_SET_PDEATHSIG = 1


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _started(start: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    """What each process does first. It dies with the one that began it, which alone hears Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if start is not None:
        start(*arguments)


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    start: Callable[..., None] | None = None,
    arguments: tuple[Any, ...] = (),
) -> Iterator[tuple[Item, Result]]:
    """Each item with `function` of it, in order; some are on their way at any time, never all.

    Every process calls `start(*arguments)` first. What `function` raises is raised here.
    """
    count = cores()
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
    finally:
        pool.shutdown(wait=not waiting, cancel_futures=True)
