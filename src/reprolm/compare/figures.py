"""Curves of several groups of runs in one figure, once for each quantity along which they are compared."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reprolm.compare.groups import Group, interval
from reprolm.compare.runs import Compared
from reprolm.quantities import duration, scaled
from reprolm.report.drawing import ROUND_STEPS, SERIES, Drawing, Size, beside, drawing, panel
from reprolm.report.figures import HIDDEN_START, running_mean, thinned
from reprolm.report.inputs import Floats

MOST_POINTS = 160
MOST_NAMED = 8
LABEL_PIXELS = 17.0
DASHES: tuple[str, ...] = ("-", (0, (5, 2)), (0, (1, 1.6)), (0, (6, 2, 1, 2)))  # type: ignore[assignment]
LABELS = {
    "steps": "steps",
    "tokens": "tokens trained on",
    "FLOP": "floating-point operations of training",
    "seconds": "time since the first measurement",
}
TITLES = {
    "validation/loss": "validation loss, nats per token",
    "train/loss": "training loss, nats per token",
}
Line = tuple[Floats, Floats]


def look(index: int) -> tuple[str, str]:
    """Colour and dashes of a group: no two of the first 32 share both."""
    return list(SERIES)[index % len(SERIES)], DASHES[index // len(SERIES) % len(DASHES)]


def curves(groups: Sequence[Group], name: str, axis: str) -> Drawing | None:
    """A curve of each group: its runs thin, their mean strong with its 95 % interval as a band.

    Not along time: there runs of one group are at other steps, and the interval is that of a step.
    """
    lines = {index: [_line(run, name, axis) for run in group.runs] for index, group in enumerate(groups)}
    lines = {index: [line for line in those if len(line[0])] for index, those in lines.items()}
    lines = {index: those for index, those in lines.items() if those}
    if not lines:
        return None
    low, high = _extent([line for those in lines.values() for line in those])
    right = max(float(x[-1]) for those in lines.values() for x, _ in those)

    def plot(figure: Figure, size: Size) -> None:
        axes = panel(figure, size, TITLES[name])
        axes.set_ylim(low, high)
        _quantity_axis(axes, axis, right)
        ends = []
        for index, those in lines.items():
            colour, dashes = look(index)
            x, y, half = _mean(those)
            if len(those) > 1:
                for line in those:
                    axes.plot(*thinned(*line, MOST_POINTS), color=colour, linewidth=0.7, alpha=0.4)
                if axis != "seconds":
                    some = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).astype(int))
                    band = (x[some], (y - half)[some], (y + half)[some])
                    axes.fill_between(*band, color=colour, alpha=0.13, linewidth=0)
            axes.plot(*thinned(x, y, MOST_POINTS), color=colour, linewidth=1.9, linestyle=dashes)
            axes.plot(x[-1], y[-1], "o", color=colour, markersize=5, markeredgewidth=0, clip_on=False)
            ends.append((float(y[-1]), colour))
        if len(ends) <= MOST_NAMED:
            _values(axes, ends)

    words = f"{TITLES[name]}, of {len(lines)} groups of runs, against {LABELS[axis]}"
    return drawing(f"{name.replace('/', '-')}-{axis}", words, plot)


def _line(run: Compared, name: str, axis: str) -> Line:
    x, y = run.along(name, axis)
    return x, running_mean(y, max(len(y) // 40, 1) | 1) if name == "train/loss" else y


def _extent(lines: Sequence[Line]) -> tuple[float, float]:
    """The range of what comes after the start, which is steep."""
    late = [y[x >= HIDDEN_START * x[-1]] for x, y in lines]
    everything = np.concatenate(late)
    low = float(min(everything.min(), *(y.min() for _, y in lines))) if len(lines) else 0.0
    high = float(everything.max())
    # a run that diverged must not flatten the others
    high = min(high, low + 4 * max(float(np.median(everything)) - low, 1e-3))
    room = 0.06 * max(high - low, 1e-3)
    return low - room, high + room


def _mean(lines: Sequence[Line]) -> tuple[Floats, Floats, Floats]:
    """The mean of runs that were measured at the same steps, with half its interval; as far as all go."""
    count = min(len(x) for x, _ in lines)
    x = np.mean([line[0][:count] for line in lines], axis=0)
    values = np.array([line[1][:count] for line in lines])
    half = [interval(list(map(float, column))).half or 0.0 for column in values.T]
    return x, values.mean(axis=0), np.array(half)


def _quantity_axis(axes: Axes, axis: str, right: float) -> None:
    axes.set_xlim(0.0, max(right, 1e-9))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=ROUND_STEPS))

    def shown(value: float, _: object) -> str:
        if not value:
            return "0"
        if axis == "seconds":
            return duration(value) if value >= 60 else f"{value:g} s"
        number, prefix = scaled(value)
        number = number.rstrip("0").rstrip(".") if "." in number else number
        return f"{number} {prefix}".strip()

    axes.xaxis.set_major_formatter(FuncFormatter(shown))
    axes.set_xlabel(LABELS[axis], labelpad=6)


def _values(axes: Axes, ends: Sequence[tuple[float, str]]) -> None:
    """The last value of each curve at its right, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    inside = [(min(max(value, low), high), value, colour) for value, colour in ends]
    heights = [float(axes.transData.transform((0.0, at))[1]) for at, _, _ in inside]
    for (at, value, colour), height, place in zip(inside, heights, apart(heights), strict=True):
        beside(axes, at, f"{value:.3f}", colour, place - height)


def apart(heights: Sequence[float], gap: float = LABEL_PIXELS) -> list[float]:
    """Places near some heights, none nearer than `gap` to another, in the same order.

    >>> apart([0.0, 1.0, 100.0], 10.0)
    [-4.5, 5.5, 100.0]
    """
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    clusters: list[list[int]] = []
    centre = [0.0] * len(heights)

    def middle(cluster: list[int]) -> float:
        return sum(heights[index] for index in cluster) / len(cluster)

    for index in order:
        clusters.append([index])
        while len(clusters) > 1:
            below, above = clusters[-2], clusters[-1]
            reach = gap * (len(below) + len(above)) / 2
            if middle(above) - middle(below) >= reach:
                break
            clusters[-2:] = [below + above]
    for cluster in clusters:
        start = middle(cluster) - gap * (len(cluster) - 1) / 2
        for place, index in enumerate(cluster):
            centre[index] = start + gap * place
    return centre
