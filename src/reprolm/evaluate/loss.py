"""The loss of a model on a stream of tokens, each target scored exactly once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy

from reprolm.data.shards import Array, Tokens
from reprolm.data.windows import Laid, Padded, numbered
from reprolm.errors import refuse


@dataclass(frozen=True)
class Scored:
    """Targets scored together: ids, −ln p in nats, tokens that each was given, its window, its place."""

    targets: NDArray[np.int64]
    nats: NDArray[np.float64]
    seen: NDArray[np.int64]
    window: NDArray[np.int64]
    at: NDArray[np.int64]


def window_starts(tokens: int, window: int, stride: int) -> range:
    """Where the windows of inputs start: 1 + ⌈(tokens − 1 − window) / stride⌉ of them, at least one.

    >>> list(window_starts(10, window=4, stride=2))
    [0, 2, 4, 6]
    """
    return range(0, 1 + stride * max(0, -(-(tokens - 1 - window) // stride)), stride)


@torch.no_grad()
def _nats(model: nn.Module, windows: Array, documents: Array | None) -> NDArray[np.float64]:
    """−ln p of every token of windows but the first."""
    device = next(model.parameters()).device
    both = torch.from_numpy(windows).to(device)
    numbers = None if documents is None else torch.from_numpy(documents).to(device)
    logits = model(both[:, :-1], documents=numbers).float().flatten(0, 1)
    nats = cross_entropy(logits, both[:, 1:].flatten(), reduction="none").view_as(both[:, 1:])
    result: NDArray[np.float64] = nats.double().cpu().numpy()
    return result


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Leaves the model in the mode that it was in."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def scored(
    model: nn.Module, tokens: Tokens, *, window: int, stride: int, batch_size: int, laid: Laid = "packed"
) -> Iterator[Scored]:
    """Scores every token but the first, in windows of `window` inputs that start `stride` apart.

    Windows are defined on inputs: window j takes x_a … x_{b−1} and predicts x_{a+1} … x_b, and only targets
    that no window before it predicted are scored. So the border between two windows loses no target, and
    from the second window on each target is given at least window − stride + 1 tokens. The order of the
    targets is that of the text. A model trained on windows that are `isolated` or `padded` is judged on such
    ones; padded ones lie end to end in each document, whose first token nothing predicts.

    Raises:
        ReprolmError: fewer than two tokens (exit 65).
    """
    if len(tokens) < 2:
        raise refuse("tokens", "are too few to be scored", got=len(tokens), want="at least 2")
    if laid == "padded":
        yield from _scored_documents(model, Padded(tokens, window), batch_size)
        return
    starts = window_starts(len(tokens), window, stride)
    whole = [start for start in starts if start + window < len(tokens)]
    chunks = [whole[i : i + batch_size] for i in range(0, len(whole), batch_size)]
    chunks += [[start] for start in starts[len(whole) :]]
    with _evaluating(model):
        for chunk in chunks:
            windows = np.stack([tokens[start : start + window + 1] for start in chunk])
            places = np.array(chunk)[:, None] + np.arange(windows.shape[1] - 1)
            documents = numbered(tokens, places) if laid == "isolated" else None
            nats = _nats(model, windows, documents)
            yield _new_targets(places, windows[:, 1:], nats, window - stride)


def _new_targets(places: Array, targets: Array, nats: NDArray[np.float64], overlap: int) -> Scored:
    """Leaves out what the window before has scored."""
    seen = np.broadcast_to(np.arange(1, targets.shape[1] + 1), targets.shape)
    new = (places[:, :1] == 0) | (seen > overlap)
    window = np.broadcast_to(np.arange(len(places))[:, None], targets.shape)
    return Scored(targets[new], nats[new], seen[new], window[new], (places + 1)[new])


def _scored_documents(model: nn.Module, windows: Padded, batch_size: int) -> Iterator[Scored]:
    """Every document by itself."""
    with _evaluating(model):
        for first in range(0, windows.count, batch_size):
            starts = windows.start(np.arange(first, min(first + batch_size, windows.count)), 0)
            lengths = windows.lengths(starts)
            rows = windows.read(starts, int(lengths.max()) + 1)
            seen = np.broadcast_to(np.arange(1, rows.shape[1]), rows[:, 1:].shape)
            real = seen <= lengths[:, None]
            nats = _nats(model, rows, None)
            window = np.broadcast_to(np.arange(len(rows))[:, None], real.shape)
            at = starts[:, None] + seen
            yield Scored(rows[:, 1:][real], nats[real], seen[real], window[real], at[real])


def mean_loss(
    model: nn.Module, tokens: Tokens, *, window: int, batch_size: int, laid: Laid = "packed"
) -> float:
    """Mean −ln p in nats a token over the whole text, in windows that do not overlap."""
    total, count = 0.0, 0
    for part in scored(model, tokens, window=window, stride=window, batch_size=batch_size, laid=laid):
        total += float(part.nats.sum())
        count += len(part.nats)
    return total / count
