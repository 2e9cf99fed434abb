"""The figure of a range test: which learning rates this training bears."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from reprolm.diagnose.events import FATAL, Event
from reprolm.report.drawing import ACCENT, INK, MUTED, Drawing, Size, beside, drawing, panel
from reprolm.report.figures import thinned
from reprolm.report.inputs import Columns, Floats

HALF_LIFE_SHARE = 0.02
"""Of the steps: how fast the average forgets."""
MARGIN = 3.0


@dataclass(frozen=True)
class Reading:
    """What a range test says, in learning rates; `broken` is where training diverged, if it did."""

    lowest_loss: float
    suggested: float
    broken: float | None


def smoothed(losses: Floats) -> Floats:
    """The bias-corrected exponential average of the losses, with a half-life of 2 % of the steps."""
    kept = 0.5 ** (1 / max(1.0, HALF_LIFE_SHARE * len(losses)))
    averages, raw = np.empty(len(losses)), 0.0
    for index, value in enumerate(losses.tolist()):
        raw = kept * raw + (1 - kept) * value
        averages[index] = raw / (1 - kept ** (index + 1))
    return averages


def reading(steps: Columns, events: list[Event]) -> Reading | None:
    """The rate at which the averaged loss is lowest, a third of it as a first guess, and where it broke.

    Before the lowest loss every rise of the rate still paid; behind it training becomes worse at once.
    """
    losses, rates = _measured(steps)
    if len(losses) < 2:
        return None
    lowest = float(rates[int(np.argmin(smoothed(losses)))])
    fatal = [event for event in events if event.type in FATAL]
    return Reading(lowest, lowest / MARGIN, fatal[0].learning_rate if fatal else None)


def edge(steps: Columns, events: list[Event]) -> str:
    """The command of short runs around the edge of what the training bears; empty without a reading.

    From a third of what is suggested to three times the rate of the lowest loss, by threes.
    """
    read = reading(steps, events)
    if read is None:
        return ""
    rates = ",".join(f"{read.suggested * MARGIN**power:.2g}" for power in range(-1, 3))
    return f"reprolm sweep train.schedule=linear train.learning_rate={rates}"


def _measured(steps: Columns) -> tuple[Floats, Floats]:
    if not {"loss", "learning_rate"} <= set(steps):
        return np.empty(0), np.empty(0)
    there = np.isfinite(steps["loss"]) & (steps["learning_rate"] > 0)
    return steps["loss"][there], steps["learning_rate"][there]


def figure(steps: Columns, events: list[Event]) -> Drawing | None:
    """The loss of each step against its learning rate, with the suggested rate and where training broke."""
    read = reading(steps, events)
    if read is None:
        return None
    losses, rates = _measured(steps)
    average = smoothed(losses)
    top = float(average[0])

    def plot(canvas: Figure, size: Size) -> None:
        axes = panel(canvas, size, "loss, nats per token")
        axes.set_xscale("log")
        room = 0.06 * max(top - float(average.min()), 1e-3)
        axes.set_ylim(float(average.min()) - room, top + 4 * room)
        axes.plot(*thinned(rates, losses), color=MUTED, linewidth=0.7, alpha=0.45)
        axes.plot(*thinned(rates, average), color=INK, linewidth=1.6)
        marks = [(read.suggested, "suggested", ACCENT), (read.lowest_loss, "lowest", MUTED)]
        marks += [(read.broken, "broke", MUTED)] if read.broken is not None else []
        for row, (rate, word, colour) in enumerate(marks):
            axes.axvline(rate, color=colour, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.annotate(
                f"{word} {rate:.2g}", (rate, 1), (-4, -14 * (row + 1)), xycoords=("data", "axes fraction"),
                textcoords="offset points", color=colour, ha="right",
            )  # fmt: skip
        axes.xaxis.set_major_locator(LogLocator(numticks=8))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.set_xlabel("learning rate", labelpad=6)
        beside(axes, float(np.clip(average[-1], None, top + 3 * room)), f"{average[-1]:.3f}", INK)

    return drawing("rates", "Training loss against learning rate in a range test", plot)
