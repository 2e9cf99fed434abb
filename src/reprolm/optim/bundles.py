"""Which tensors are stepped by one call."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor


def bundles(group: dict[str, Any]) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
    """The weights of a parameter group and their gradients, in lists for `torch._foreach_*`.

    On a GPU all are one list, because each call has a price. On a CPU each is a list by itself: that a tensor
    stays in the cache between two operations is worth more (`benchmarks/optimizers.py`).
    """
    weights = [weight for weight in group["params"] if weight.grad is not None]
    alone = all(weight.device.type == "cpu" for weight in weights)
    for bundle in [[weight] for weight in weights] if alone else [weights]:
        yield bundle, [weight.grad for weight in bundle if weight.grad is not None]
