"""Named random streams: a draw is a function of the seed and of its purpose, never of what came before.

Two models that differ in one part share every other initial tensor and every batch, evaluation changes no
weight, and resuming needs no generator state.
"""

import hashlib

BITS = 63


def stream(seed: int, *purpose: str | int) -> int:
    """The seed of the stream for `purpose`, an integer below 2⁶³.

    >>> stream(1, "initialise", "head.weight") == stream(1, "initialise", "head.weight")
    True
    >>> stream(1, "batches", 12) == stream(1, "batches1", 2)
    False
    """
    key = "\x1f".join([str(seed), *(f"{type(part).__name__}:{part}" for part in purpose)])
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> (64 - BITS)
