"""The figures of the page; each is None where nothing was measured."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from reprolm.diagnose.events import Event
from reprolm.report.drawing import (
    ACCENT,
    INK,
    MUTED,
    ROUND_STEPS,
    Drawing,
    Size,
    beside,
    drawing,
    panel,
    tokens_axis,
)
from reprolm.report.inputs import Columns, Floats

MOST_POINTS = 800
MOST_DOTS = 60
HIDDEN_START = 0.04
LABEL_POINTS = 38.0


def running_mean(values: Floats, window: int) -> Floats:
    """The mean of the `window` values around each; at the end, where nothing follows, of those before it.

    At the start, which is steep, of as few on either side, so that the mean does not run beside the values.
    """
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    before = np.minimum(at, window // 2)
    after = np.minimum(before, len(values) - 1 - at)
    means: Floats = (sums[at + after + 1] - sums[at - before]) / (before + after + 1)
    return means


def thinned(x: Floats, y: Floats, most: int = MOST_POINTS) -> tuple[Floats, Floats]:
    """At most `most` points that look the same: the extremes of each stretch stay."""
    if len(x) <= most:
        return x, y
    stretch = -(-2 * len(x) // most)
    keep = set()
    for start in range(0, len(x), stretch):
        part = y[start : start + stretch]
        keep |= {start + int(np.argmin(part)), start + int(np.argmax(part))}
    chosen = np.array(sorted(keep))
    return x[chosen], y[chosen]


def _measured(columns: Columns, x: str, y: str) -> tuple[Floats, Floats]:
    """The pairs of two columns where both were measured; none where a column is missing."""
    if x not in columns or y not in columns:
        return np.empty(0), np.empty(0)
    there = np.isfinite(columns[x]) & np.isfinite(columns[y])
    return columns[x][there], columns[y][there]


def smoothing_window(columns: Columns) -> int:
    """How many measurements of the training loss the smoothed line averages."""
    return max(len(_measured(columns, "tokens", "train_loss")[0]) // 40, 1) | 1


def loss(columns: Columns, events: Sequence[Event] = ()) -> Drawing | None:
    """Training and validation loss against tokens; the start may run off the top, so that the end is seen.

    Each event is a mark at its step.
    """
    tokens, train = _measured(columns, "tokens", "train_loss")
    at, validation = _measured(columns, "tokens", "validation_loss")
    if not len(tokens) and not len(at):
        return None
    smooth = running_mean(train, smoothing_window(columns))
    everywhere = np.concatenate([tokens, at])
    late = everywhere >= HIDDEN_START * everywhere.max()
    low = float(np.min([*np.concatenate([train, validation])[late], *validation]))
    high = float(np.max(np.concatenate([smooth, validation])[late]))
    room = 0.06 * max(high - low, 1e-3)

    def plot(figure: Figure, size: Size) -> None:
        axes = panel(figure, size, "loss, nats per token")
        tokens_axis(axes, everywhere, labelled=True)
        axes.set_ylim(low - room, high + room)
        axes.plot(*thinned(tokens, train), color=MUTED, linewidth=0.7, alpha=0.45)
        axes.plot(*thinned(tokens, smooth), color=INK, linewidth=1.6)
        _validation_line(axes, at, validation)
        _mark(axes, columns, events)
        lines = (("train", smooth, INK), ("validation", validation, ACCENT))
        _name_ends(axes, [(name, float(line[-1]), colour) for name, line, colour in lines if len(line)])

    return drawing("loss", "Training and validation loss against tokens trained on", plot)


def _mark(axes: Axes, columns: Columns, events: Sequence[Event]) -> None:
    """Where each event began; the first of a kind has its name."""
    steps, tokens = _measured(columns, "step", "tokens")
    a_step = float(tokens[-1] / steps[-1]) if len(steps) and steps[-1] > 0 else 0.0
    named: set[str] = set()
    for event in events:
        at = event.step * a_step
        axes.axvline(at, color=MUTED, linewidth=1.0, linestyle=(0, (2, 3)))
        if event.type not in named:
            height, late = 4 + 13 * len(named), at > axes.get_xlim()[1] / 2
            axes.annotate(
                event.type, (at, 0), (-4 if late else 4, height), xycoords=("data", "axes fraction"),
                textcoords="offset points", color=MUTED, fontsize=10, ha="right" if late else "left",
            )  # fmt: skip
        named.add(event.type)


def _validation_line(axes: Axes, at: Floats, validation: Floats) -> None:
    if not len(at):
        return
    dots = "o-" if len(at) <= MOST_DOTS else "-"
    axes.plot(
        *thinned(at, validation), dots, color=ACCENT, linewidth=1.6, markersize=4.5, markeredgewidth=0.0
    )
    best = int(np.argmin(validation))
    axes.plot(at[best], validation[best], "o", markersize=12, markerfacecolor="none",
              markeredgecolor=ACCENT, markeredgewidth=1.4, clip_on=False)  # fmt: skip


def _name_ends(axes: Axes, ends: list[tuple[str, float, str]]) -> None:
    """Labels one or two lines with name and last value, moved apart where the labels would overlap."""
    heights = [float(axes.transData.transform((0.0, value))[1]) for _, value, _ in ends]
    apart = max(0.0, LABEL_POINTS - abs(heights[0] - heights[-1])) / 2 if len(ends) > 1 else 0.0
    for (name, value, colour), height in zip(ends, heights, strict=True):
        upper = height > min(heights) or (len(set(heights)) == 1 and name == ends[0][0])
        beside(axes, value, f"{name}\n{value:.3f}", colour, apart if upper else -apart)


def optimisation(columns: Columns) -> Drawing | None:
    """Learning rate, gradient norm and the entropy of attention against tokens."""
    lines = {
        "learning rate": _measured(columns, "tokens", "learning_rate"),
        "gradient norm": _measured(columns, "tokens", "gradient_norm"),
        "attention entropy (1: looks at all alike)": _measured(columns, "tokens", "attention_entropy"),
    }
    lines = {title: line for title, line in lines.items() if len(line[0])}
    if not lines:
        return None

    def plot(figure: Figure, size: Size) -> None:
        everywhere = np.concatenate([tokens for tokens, _ in lines.values()])
        for row, (title, (tokens, values)) in enumerate(lines.items()):
            axes = panel(figure, size, title, row, len(lines))
            tokens_axis(axes, everywhere, labelled=row == len(lines) - 1)
            axes.plot(*thinned(tokens, values), color=INK, linewidth=1.2)
            if title == "gradient norm" and 0 < 20 * values.min() < values.max():
                axes.set_yscale("log")
                axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=6))
                axes.yaxis.set_minor_locator(NullLocator())
            else:
                axes.set_ylim(0.0, 1.1 * max(float(values.max()), 1e-12))
                axes.yaxis.set_major_locator(MaxNLocator(4, steps=ROUND_STEPS, min_n_ticks=3))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
            beside(axes, float(values[-1]), f"{values[-1]:.3g}", INK)

    alt = "What moved the weights, and how widely attention looks, against tokens trained on"
    return drawing("optimisation", alt, plot, rows=len(lines))


def by_position(columns: Columns) -> Drawing | None:
    """Mean loss by the number of tokens that the model was given, with a band of two standard errors."""
    position, mean = _measured(columns, "position", "loss")
    if not len(position):
        return None
    errors = columns.get("standard_error", np.full(len(columns["loss"]), np.nan))
    error = np.nan_to_num(errors[np.isfinite(columns["position"]) & np.isfinite(columns["loss"])])

    def plot(figure: Figure, size: Size) -> None:
        axes = panel(figure, size, "loss, nats per token")
        if position.min() > 0:
            axes.set_xscale("log", base=2)
        else:
            axes.set_xscale("symlog", base=2, linthresh=1.0)
        axes.fill_between(position, mean - 2 * error, mean + 2 * error, color=ACCENT, alpha=0.18, linewidth=0)
        axes.plot(position, mean, color=ACCENT, linewidth=1.6, marker="o", markersize=4, markeredgewidth=0)
        powers = 2.0 ** np.arange(0, np.ceil(np.log2(max(position.max(), 2.0))) + 1)
        every = -(-len(powers) // (12 if size.screen == "wide" else 6))
        axes.xaxis.set_major_locator(FixedLocator(list(powers[::every])))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        axes.set_xlim(min(float(position.min()), 0.94), max(float(position.max()), 2.0) * 1.06)
        axes.set_xlabel("tokens given, first of the bin", labelpad=6)
        beside(axes, float(mean[-1]), f"{mean[-1]:.3f}", ACCENT)

    return drawing("position", "Mean loss against the number of tokens given", plot)


def ranks(columns: Columns) -> Drawing | None:
    """How often the entry of each rank occurs, both on scales of powers."""
    rank, count = _measured(columns, "rank", "count")
    if not len(rank):
        return None

    def plot(figure: Figure, size: Size) -> None:
        axes = panel(figure, size, "times that an entry occurs")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.plot(rank, count, color=ACCENT, linewidth=1.6)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_xlabel("rank of the entry", labelpad=6)
        beside(axes, float(count[-1]), f"{count[-1]:,.0f}", ACCENT)

    return drawing("ranks", "How often the entries of the vocabulary occur, by rank", plot)
