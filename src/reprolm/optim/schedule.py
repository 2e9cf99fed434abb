"""The learning rate at each step as a share of its peak."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from reprolm.optim.config import OptimConfig, PlateauConfig


@dataclass(frozen=True)
class Plateau:
    """Where the schedule `plateau` stands: all that it remembers of the validations so far."""

    share: float = 1.0
    best_loss: float | None = None
    stale_validations: int = 0

    def after(self, loss: float, options: PlateauConfig, final: float) -> "Plateau":
        """After `patience_validations` without a better loss, the next one lowers the share by `factor`.

        >>> options = PlateauConfig(factor=0.5, patience_validations=1, threshold=0.0)
        >>> plateau = Plateau().after(2.0, options, 0.0).after(2.0, options, 0.0)
        >>> plateau.share, plateau.after(2.0, options, 0.0).share
        (1.0, 0.5)
        """
        if self.best_loss is None or loss < self.best_loss * (1 - options.threshold):
            return replace(self, best_loss=loss, stale_validations=0)
        if self.stale_validations < options.patience_validations:
            return replace(self, stale_validations=self.stale_validations + 1)
        return replace(self, share=max(self.share * options.factor, final), stale_validations=0)


class Schedule:
    """The learning rate of a run: a pure function of the step; only `plateau` remembers validations."""

    def __init__(self, config: OptimConfig, steps: int) -> None:
        self.config, self.steps = config, steps
        self.plateau = Plateau()

    def share(self, step: int) -> float:
        """Of the peak, at a step counted from 0."""
        return self.plateau.share * share(self.config, step, self.steps)

    def validated(self, loss: float) -> None:
        """Takes in a validation loss."""
        if self.config.schedule == "plateau":
            final = self.config.final_learning_rate_share
            self.plateau = self.plateau.after(loss, self.config.plateau, final)


def share(config: OptimConfig, step: int, steps: int) -> float:
    """Rises from 1 / `warmup_steps` to 1, then falls towards `final_learning_rate_share` as the kind says.

    `range` alone rises all the time: the same factor a step, from `lowest_share` to 1.
    """
    if config.schedule == "range":
        return _range(config, step, steps)
    warmup = config.warmup_steps
    if step < warmup:
        return (step + 1) / warmup
    after = step + 1 - warmup
    done = after / max(1, steps - warmup)
    return 1 - (1 - config.final_learning_rate_share) * FALLS[config.schedule](config, after, done)


def _range(config: OptimConfig, step: int, steps: int) -> float:
    """The range test of learning rates (Smith 2017, arXiv:1506.01186), in which every rate has its step."""
    done = step / max(1, steps - 1)
    share: float = config.range.lowest_share ** (1 - done)
    return share


def _flat(config: OptimConfig, after: int, done: float) -> float:  # noqa: ARG001
    return 0.0


def _linear(config: OptimConfig, after: int, done: float) -> float:  # noqa: ARG001
    """In a straight line (Bergsma et al. 2025, arXiv:2502.15938)."""
    return done


def _cosine(config: OptimConfig, after: int, done: float) -> float:  # noqa: ARG001
    """Along half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983)."""
    return (1 - math.cos(math.pi * done)) / 2


def _wsd(config: OptimConfig, after: int, done: float) -> float:  # noqa: ARG001
    """Not at all, then in the last `decay_share` along x or √x (Hägele et al. 2024, arXiv:2405.18392)."""
    x = max(0.0, 1 - (1 - done) / config.wsd.decay_share)
    return x if config.wsd.decay == "linear" else math.sqrt(x)


def _inverse_square_root(config: OptimConfig, after: int, done: float) -> float:  # noqa: ARG001
    """As 1 / √(1 + t / timescale), which knows no end (Vaswani et al. 2017, arXiv:1706.03762)."""
    return 1 - 1 / math.sqrt(1 + after / config.inverse_square_root.timescale_steps)


FALLS: dict[str, Callable[[OptimConfig, int, float], float]] = {
    "constant": _flat,
    "linear": _linear,
    "cosine": _cosine,
    "wsd": _wsd,
    "inverse_square_root": _inverse_square_root,
    "plateau": _flat,
}
"""How far down the rate is, from 0 to 1, by the steps after the warm-up and their share of all such steps."""
