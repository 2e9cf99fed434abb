"""The loss of a model on a stream of tokens, each target scored exactly once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from reprolm.errors import refuse


class Stream(Protocol):
    """A sequence of tokens that can be read anywhere."""

    def __len__(self) -> int: ...
    def __getitem__(self, span: slice) -> NDArray[np.int64]: ...


@dataclass(frozen=True)
class Scored:
    """Targets that were scored together: ids, −ln p in nats, tokens that each was given, and its window."""

    targets: NDArray[np.int64]
    nats: NDArray[np.float64]
    seen: NDArray[np.int64]
    window: NDArray[np.int64]


def window_starts(tokens: int, window: int, stride: int) -> range:
    """Where the windows of inputs start: 1 + ⌈(tokens − 1 − window) / stride⌉ of them, at least one.

    >>> list(window_starts(10, window=4, stride=2))
    [0, 2, 4, 6]
    """
    return range(0, 1 + stride * max(0, -(-(tokens - 1 - window) // stride)), stride)


def _nats(model: nn.Module, windows: NDArray[np.int64], device: torch.device) -> Tensor:
    both = torch.from_numpy(windows).to(device)
    logits = model(both[:, :-1])
    return cross_entropy(logits.float().flatten(0, 1), both[:, 1:].flatten(), reduction="none").view_as(
        both[:, 1:]
    )


@torch.no_grad()
def scored(
    model: nn.Module, tokens: Stream, *, window: int, stride: int, batch_size: int
) -> Iterator[Scored]:
    """Scores every token but the first, in windows of `window` inputs that start `stride` apart.

    Windows are defined on inputs: window j takes x_a … x_{b−1} and predicts x_{a+1} … x_b, and only targets
    that no window before it predicted are scored. So the border between two windows loses no target, and from
    the second window on each target is given at least window − stride + 1 tokens. The order of the targets is
    that of the stream, and the model is left in the mode that it was in.

    Raises:
        ReprolmError: fewer than two tokens (exit 65).
    """
    if len(tokens) < 2:
        raise refuse("tokens", "are too few to be scored", got=len(tokens), want="at least 2")
    device = next(model.parameters()).device
    starts = window_starts(len(tokens), window, stride)
    whole = [start for start in starts if start + window < len(tokens)]
    chunks = [whole[i : i + batch_size] for i in range(0, len(whole), batch_size)]
    chunks += [[start] for start in starts[len(whole) :]]
    training = model.training
    model.eval()
    try:
        for chunk in chunks:
            windows = np.stack([tokens[start : start + window + 1] for start in chunk])
            nats = _nats(model, windows, device).double().cpu().numpy()
            yield _new_targets(chunk, windows[:, 1:], nats, window - stride)
    finally:
        model.train(training)


def _new_targets(
    starts: list[int], targets: NDArray[np.int64], nats: NDArray[np.float64], overlap: int
) -> Scored:
    """Leaves out what the window before has scored."""
    seen = np.broadcast_to(np.arange(1, targets.shape[1] + 1), targets.shape)
    new = np.array([[start == 0] for start in starts]) | (seen > overlap)
    window = np.broadcast_to(np.arange(len(starts))[:, None], targets.shape)
    return Scored(targets[new], nats[new], seen[new], window[new])


def mean_loss(model: nn.Module, tokens: Stream, *, window: int, batch_size: int) -> float:
    """Mean −ln p in nats a token over the whole stream, in windows that do not overlap."""
    total, count = 0.0, 0
    for part in scored(model, tokens, window=window, stride=window, batch_size=batch_size):
        total += float(part.nats.sum())
        count += len(part.nats)
    return total / count
