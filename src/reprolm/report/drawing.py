"""How a figure becomes part of the page: SVG that takes its colours and fonts from the page's style sheet.

Each figure is drawn twice, for a wide and for a narrow screen, so that its text is never scaled down. Only
vectors and text are written, with fixed salts and without metadata: the same numbers give the same bytes.
"""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reprolm.report.inputs import Floats
from reprolm.report.tables import SCALES

# What the SVG carries until the style sheet's variables replace it: one drawing for light and dark.
INK, MUTED, RULE, ACCENT = "#010101", "#020202", "#030303", "#040404"
VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)", ACCENT: "var(--accent)"}
SERIES = {f"#0500{number:02x}": f"var(--series-{number})" for number in range(1, 9)}
"""Colours of things that are compared, for pages whose style sheet has them."""
STYLE = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 12.0,
    "text.color": MUTED,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": RULE,
    "grid.linewidth": 1.0,
    "figure.facecolor": "none",
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "ytick.major.size": 0.0,
    "ytick.minor.size": 0.0,
    "lines.solid_capstyle": "round",
    "lines.solid_joinstyle": "round",
}
NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
BEYOND_HUNDREDTHS = re.compile(r"(?<=\.\d\d)\d+")
ROUND_STEPS = [1, 2, 2.5, 5, 10]


@dataclass(frozen=True)
class Size:
    """A screen's kind and the drawing's extent and margins, in CSS pixels."""

    screen: str
    width: float
    height: float
    right: float
    left: float = 46.0
    top: float = 26.0
    bottom: float = 40.0


SIZES = (Size("wide", 760.0, 360.0, right=96.0), Size("narrow", 356.0, 300.0, right=78.0))


@dataclass(frozen=True)
class Drawing:
    """One figure in both sizes; `label` says in words what it shows."""

    label: str
    wide: Markup
    narrow: Markup


Plot = Callable[[Figure, Size], None]


def drawing(name: str, label: str, plot: Plot, *, rows: int = 1) -> Drawing:
    """What `plot` draws, in both sizes; `name` is unique on the page. More than two `rows` make it higher."""
    sizes = [replace(size, height=size.height * max(2, rows) / 2) for size in SIZES]
    wide, narrow = (_svg(f"{name}-{size.screen}", size, plot) for size in sizes)
    return Drawing(label, wide, narrow)


def _svg(name: str, size: Size, plot: Plot) -> Markup:
    """What `plot` draws, as an element to stand inside HTML; its ids begin with `name`."""
    with style.context({**STYLE, "svg.hashsalt": name}, after_reset=True):
        figure = Figure(figsize=(size.width / 72, size.height / 72), dpi=72)
        plot(figure, size)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata=NO_METADATA)
    svg = buffer.getvalue().decode()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<svg [^>]*>", f'<svg viewBox="0 0 {size.width:g} {size.height:g}">', svg, count=1)
    svg = re.sub(r' d="[^"]+"', lambda path: BEYOND_HUNDREDTHS.sub("", path[0]).replace("\n", ""), svg)
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    for colour, variable in (VARIABLES | SERIES).items():
        svg = svg.replace(colour, variable)
    return Markup(svg.strip())  # noqa: S704 - drawn from numbers and our own words


def panel(figure: Figure, size: Size, title: str, row: int = 0, rows: int = 1) -> Axes:
    """Axes in row `row` of `rows`; `title` says quantity and unit, level, above the axis."""
    gap = 50.0
    height = (size.height - size.top - size.bottom - gap * (rows - 1)) / rows
    bottom = size.bottom + (rows - 1 - row) * (height + gap)
    width = size.width - size.left - size.right
    axes = figure.add_axes(
        (size.left / size.width, bottom / size.height, width / size.width, height / size.height)
    )
    axes.annotate(
        title, (0, 1), (-size.left, 8), xycoords="axes fraction", textcoords="offset points", va="bottom"
    )
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=ROUND_STEPS))
    axes.tick_params(axis="y", pad=6)
    return axes


def tokens_axis(axes: Axes, tokens: Floats, *, labelled: bool) -> None:
    """Makes x the tokens trained on, from none to the last, in round units."""
    top = max(float(np.nanmax(tokens)), 1.0)
    scale, unit = next((entry for entry in SCALES if top >= entry[0]), (1.0, ""))
    if not unit and top >= 1e4:
        scale, unit = 1e3, "k"
    axes.set_xlim(0.0, top)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=ROUND_STEPS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / scale:g} {unit}".strip() if x else "0"))
    if labelled:
        axes.set_xlabel("tokens trained on", labelpad=6)
    else:
        axes.tick_params(axis="x", labelbottom=False)


def beside(axes: Axes, y: float, text: str, colour: str, shift: float = 0.0) -> None:
    """A label at the right end of a line, in place of a legend."""
    axes.annotate(
        text, (1, y), (10, shift), xycoords=("axes fraction", "data"), textcoords="offset points",
        color=colour, va="center", linespacing=1.35, annotation_clip=False,
    )  # fmt: skip
