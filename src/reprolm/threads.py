"""Threads of the CPU that compute independent things side by side, each with its own cores.

Between the operations of a small model threads wait for each other longer than they compute: two that each
take half of a batch, and meet once a step, are faster than two that share each operation
(`benchmarks/threads.py`).
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Barrier
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


class SideBySide:
    """`count` threads, among which the threads of torch are divided; with one, the caller computes alone."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Ends the threads, which would hold their memory for as long as the process lives."""
        if self._pool is not None:
            self._pool.shutdown()

    def map(self, compute: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """What `compute` makes of each item, in the order of the items; waits for all, then raises."""
        if self.count == 1:
            return [compute(item) for item in items]
        pool = self._pool = self._pool or _pool(self.count)
        waited = [pool.submit(compute, item) for item in items]
        wait(waited)
        return [each.result() for each in waited]


def _pool(count: int) -> ThreadPoolExecutor:
    threads = torch.get_num_threads()
    each = max(1, threads // count)
    met = Barrier(count + 1)

    def begin() -> None:
        # asked first, or the first operation would set it to that of the process again
        torch.get_num_threads()
        torch.set_num_threads(each)
        met.wait()

    pool = ThreadPoolExecutor(count, "side-by-side")
    for _ in range(count):
        pool.submit(begin)
    met.wait()
    # torch's number is that of the thread which sets it, and of all threads that start later
    torch.set_num_threads(threads)
    return pool
