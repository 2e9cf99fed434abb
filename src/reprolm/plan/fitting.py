"""The largest part of a batch for which memory suffices."""

from bisect import bisect_right
from collections.abc import Callable

import psutil
import torch

from reprolm.config import divisors


def free_bytes(device: torch.device) -> int:
    """The memory that is free: that of a GPU, else the machine's."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return int(psutil.virtual_memory().available)


def fitting(peak_bytes: Callable[[int], int], batch_size: int, free_bytes: int) -> int | None:
    """The largest divisor of a batch of which so many sequences at once fit; None if one does not.

    >>> fitting(lambda sequences: 100 * sequences, 12, 450)
    4
    """
    sizes = divisors(batch_size)
    # more sequences never need less
    fits = bisect_right(sizes, free_bytes, key=peak_bytes)
    return sizes[fits - 1] if fits else None
