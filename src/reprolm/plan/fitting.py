"""The largest part of a batch for which memory suffices."""

import resource
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import torch

from reprolm.config import divisors

CGROUP = Path("/sys/fs/cgroup")


def free_bytes(device: torch.device) -> int:
    """The memory that this process may still take: of a GPU, else of the machine, within the limits set."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return max(0, min(psutil.virtual_memory().available, *_limits()))


def _limits() -> Iterator[int]:
    """What is left below the limits of `ulimit -v` and of a container."""
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most != resource.RLIM_INFINITY:
        yield most - psutil.Process().memory_info().vms
    with suppress(OSError, ValueError):  # none there, or its limit is the word `max`
        most, used = (int((CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        counts = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        # files that were read stand in memory until somebody needs it
        yield most - used + int(counts.get("inactive_file", 0))
    yield sys.maxsize


def fitting(peak_bytes: Callable[[int], int], batch_size: int, free_bytes: int) -> int | None:
    """The largest divisor of a batch of which so many sequences at once fit; None if one does not.

    >>> fitting(lambda sequences: 100 * sequences, 12, 450)
    4
    """
    sizes = divisors(batch_size)
    # more sequences never need less
    fits = bisect_right(sizes, free_bytes, key=peak_bytes)
    return sizes[fits - 1] if fits else None
