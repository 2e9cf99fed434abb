"""The page of a comparison: one HTML file that needs no network and no script."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from reprolm.compare import figures
from reprolm.compare.circumstances import ABSENT
from reprolm.compare.groups import SEED, Group, Interval, plain
from reprolm.compare.quality import Metric
from reprolm.compare.result import Comparison, written
from reprolm.compare.runs import AXES, CURVES, Compared
from reprolm.report import page as report
from reprolm.report.drawing import SERIES, Drawing
from reprolm.report.tables import words

HERE = Path(__file__).parent
MOST_SAMPLE_COLUMNS = 6
MOST_SAMPLES = 16
LONGEST_SAMPLE = 1500
BESIDES = "besides parameters"


@dataclass(frozen=True)
class Cell:
    """A number in a table, and whether it is the best of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Row:
    """A group or a run, with what differs and its numbers."""

    series: int
    name: str
    values: tuple[str, ...]
    seeds: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Continuations:
    """How some runs continued one prompt in one draw: name, series and text (or None) of each."""

    prompt: str
    draw: int
    texts: tuple[tuple[str, int, str | None], ...]


def render(found: Comparison, command: Sequence[str]) -> str:
    """The text of the page."""
    chosen = sampled(found)
    return _template().render(
        headline=headline(found),
        subtitle=_subtitle(found),
        notes=found.notes,
        differing=[*_keys(found), *([BESIDES] if _besides(found) else [])] or ["group"],
        metrics=found.metrics,
        main=_main(found),
        groups=_groups(found),
        several=any(len(group.runs) > 1 for group in found.groups),
        axes=AXES,
        drawings=_drawings(found),
        continuations=continuations(found, chosen),
        same_seed=len({run.params.get("seed") for run in chosen}) == 1,
        left_out=len(found.runs) - len(chosen),
        runs=_runs(found),
        shared=found.shared,
        command=shlex.join(command),
        dashed=len(found.groups) > len(SERIES),
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([HERE, Path(report.__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=report.visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["words"] = words
    return environment.get_template("compare.html.jinja")


def headline(found: Comparison) -> str:
    """The one sentence that matters: who is best, and how many are not clearly worse."""
    metric = next((metric for metric in found.metrics if found.best(metric) is not None), None)
    count = f"{len(found.runs)} runs"
    if metric is None:
        return f"{count}, none of them the best."
    best = found.best(metric)
    assert best is not None
    quality = written(best.interval(metric.key), metric.digits).replace(" ", "\u00a0")
    close = len(found.near(metric, best))
    rest = f"; {close} other{'s overlap' if close > 1 else ' overlaps'}" if close else ""
    mean = "mean " if any(len(group.runs) > 1 for group in found.groups) else ""
    return f"{best.name}: {quality} {metric.label}, the best {mean}of {len(found.groups)}{rest}."


def _subtitle(found: Comparison) -> str:
    keys = ", ".join(found.differing) or "no parameter"
    return f"{len(found.runs)} runs in {len(found.groups)} groups · differing: {keys}"


def _main(found: Comparison) -> list[Metric]:
    return [metric for metric in found.metrics if metric.main]


def _keys(found: Comparison) -> list[str]:
    return [key for key in found.differing if key != SEED]


def _besides(found: Comparison) -> bool:
    return any(group.besides for group in found.groups)


def _told(group: Group, found: Comparison) -> tuple[str, ...]:
    """What tells a group from the others, column by column."""
    values = tuple(plain(group.runs[0].params.get(key, ABSENT)) for key in _keys(found))
    return (*values, *([group.besides or ABSENT] if _besides(found) else [])) or (group.name,)


def _groups(found: Comparison) -> list[Row]:
    best = {metric.key: found.best(metric) for metric in found.metrics}
    return [
        Row(
            series(index),
            group.name,
            _told(group, found),
            len(group.runs),
            tuple(
                Cell(written(group.interval(metric.key), metric.digits), best[metric.key] is group)
                for metric in _main(found)
            ),
        )
        for index, group in enumerate(found.groups)
    ]


def series(index: int) -> int:
    """The number of a group's colour."""
    return index % len(SERIES) + 1


def _runs(found: Comparison) -> list[tuple[int, Compared, tuple[str, ...]]]:
    return [
        (
            series(index),
            run,
            tuple(_value(run.metrics, metric.key, metric.digits) for metric in found.metrics),
        )
        for index, group in enumerate(found.groups)
        for run in (*group.runs, *group.repeated)
    ]


def _value(metrics: Mapping[str, float], key: str, digits: int) -> str:
    return written(Interval(metrics[key], None, 1) if key in metrics else None, digits)


def _drawings(found: Comparison) -> dict[str, list[Drawing]]:
    """For each quantity along which runs are compared, the figures that can be drawn."""
    drawn = {axis: [figures.curves(found.groups, name, axis) for name in CURVES] for axis in AXES}
    return {axis: [each for each in those if each is not None] for axis, those in drawn.items()}


def sampled(found: Comparison) -> list[Compared]:
    """A run of each group, of one seed where all share one: then the random numbers are the same."""
    seeds = [{run.params.get("seed") for run in group.runs if run.samples} for group in found.groups]
    seeds = [those for those in seeds if those]
    common = sorted(set.intersection(*seeds), key=str) if seeds else []

    def of(group: Group) -> Compared | None:
        there = [run for run in group.runs if run.samples]
        of_seed = [run for run in there if common and run.params.get("seed") == common[0]]
        return next(iter(of_seed or there), None)

    runs = [run for run in map(of, found.groups) if run is not None]
    if len(found.groups) == 1:
        runs = [run for run in found.groups[0].runs if run.samples]
    return runs[:MOST_SAMPLE_COLUMNS]


def continuations(found: Comparison, chosen: Sequence[Compared]) -> list[Continuations]:
    """The same prompt and draw of each run beside each other."""
    places = {run.id: index for index, group in enumerate(found.groups) for run in group.runs}
    keys: dict[tuple[str, int], None] = {}
    for run in chosen:
        keys |= {(row["prompt"], row["draw"]): None for row in run.samples}
    texts = {run.id: {(row["prompt"], row["draw"]): row["text"] for row in run.samples} for run in chosen}
    names = {
        run.id: found.groups[places[run.id]].name if len(found.groups) > 1 else run.name for run in chosen
    }
    return [
        Continuations(
            prompt,
            draw,
            tuple((names[run.id], series(places[run.id]), _cut(texts[run.id].get((prompt, draw))))
                  for run in chosen),
        )
        for prompt, draw in list(keys)[:MOST_SAMPLES]
    ]  # fmt: skip


def _cut(text: Any) -> str | None:
    if text is None:
        return None
    return str(text) if len(text) <= LONGEST_SAMPLE else f"{text[:LONGEST_SAMPLE]}…"
