"""The loss of a model on a stream of tokens, each target scored exactly once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy

from reprolm.data.shards import Array, Tokens
from reprolm.data.windows import Laid, Padded, numbered
from reprolm.errors import refuse
from reprolm.model.mode import evaluating


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
    cut = Cut(tokens, window, stride, batch_size, laid)
    with evaluating(model):
        for part in cut.parts():
            yield cut.scored(model, part)


class Cut:
    """A text in windows, and which are scored at once."""

    def __init__(self, tokens: Tokens, window: int, stride: int, batch_size: int, laid: Laid) -> None:
        if len(tokens) < 2:
            raise refuse("tokens", "are too few to be scored", got=len(tokens), want="at least 2")
        self._tokens, self._window, self._stride, self._size = tokens, window, stride, batch_size
        self._isolated = laid == "isolated"
        self._padded = Padded(tokens, window) if laid == "padded" else None

    def parts(self) -> list[list[int]]:
        """What is scored together: the first tokens of windows, or the numbers of padded ones."""
        if self._padded is not None:
            return self._divided(range(self._padded.count))
        starts = window_starts(len(self._tokens), self._window, self._stride)
        whole = [start for start in starts if start + self._window < len(self._tokens)]
        return self._divided(whole) + [[start] for start in starts[len(whole) :]]

    def _divided(self, windows: Sequence[int]) -> list[list[int]]:
        parts = range(0, len(windows), self._size)
        return [list(windows[first : first + self._size]) for first in parts]

    def scored(self, model: nn.Module, part: list[int]) -> Scored:
        """The scores of one of the `parts`."""
        if self._padded is not None:
            return _scored_documents(model, self._padded, np.array(part))
        windows = np.stack([self._tokens[start : start + self._window + 1] for start in part])
        places = np.array(part)[:, None] + np.arange(windows.shape[1] - 1)
        documents = numbered(self._tokens, places) if self._isolated else None
        nats = _nats(model, windows, documents)
        return _new_targets(places, windows[:, 1:], nats, self._window - self._stride)


def _scored_documents(model: nn.Module, windows: Padded, part: Array) -> Scored:
    """Every document by itself."""
    starts = windows.start(part, 0)
    lengths = windows.lengths(starts)
    rows = windows.read(starts, int(lengths.max()) + 1)
    seen = np.broadcast_to(np.arange(1, rows.shape[1]), rows[:, 1:].shape)
    real = seen <= lengths[:, None]
    nats = _nats(model, rows, None)
    window = np.broadcast_to(np.arange(len(rows))[:, None], real.shape)
    at = starts[:, None] + seen
    return Scored(rows[:, 1:][real], nats[real], seen[real], window[real], at[real])


def _new_targets(places: Array, targets: Array, nats: NDArray[np.float64], overlap: int) -> Scored:
    """Leaves out what the window before has scored."""
    seen = np.broadcast_to(np.arange(1, targets.shape[1] + 1), targets.shape)
    new = (places[:, :1] == 0) | (seen > overlap)
    window = np.broadcast_to(np.arange(len(places))[:, None], targets.shape)
    return Scored(targets[new], nats[new], seen[new], window[new], (places + 1)[new])


def summed_loss(model: nn.Module, cut: Cut, *, rank: int = 0, size: int = 1) -> tuple[float, int]:
    """Σ −ln p in nats over the parts `rank`, `rank` + `size`, … of a text, and how many targets they have.

    All of `size` processes call the model as often, so that one whose tensors are divided over them can be
    gathered: where there is no part left, the last is computed once more and not counted.
    """
    total, count = 0.0, 0
    parts = cut.parts()
    with evaluating(model):
        for first in range(0, len(parts), size):
            index = first + rank
            found = cut.scored(model, parts[min(index, len(parts) - 1)])
            if index < len(parts):
                total += float(found.nats.sum())
                count += len(found.nats)
    return total, count


def mean_loss(
    model: nn.Module, tokens: Tokens, *, window: int, batch_size: int, laid: Laid = "packed"
) -> float:
    """Mean −ln p in nats a token over the whole text, in windows that do not overlap."""
    total, count = summed_loss(model, Cut(tokens, window, window, batch_size, laid))
    return total / count
