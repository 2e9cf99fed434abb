"""Digests of weights and batches at few steps: where two runs part, without keeping either."""

import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from torch import Tensor

STEPS = (0, 10, 100)
"""And the last."""


def of_weights(tensors: Mapping[str, Tensor]) -> str:
    """The sha256 of tensors on the CPU: names, types, shapes and bytes."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name].contiguous().numpy()
        found.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
        found.update(values.tobytes())
    return found.hexdigest()


def of_batch(inputs: npt.NDArray[np.int64], targets: npt.NDArray[np.int64]) -> str:
    """The sha256 of what a step reads and has to predict, of all ranks together."""
    shape = f"{inputs.shape}\n".encode()
    return hashlib.sha256(
        shape + inputs.astype("<i8").tobytes() + targets.astype("<i8").tobytes()
    ).hexdigest()
