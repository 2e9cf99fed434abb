"""The comparison as both forms show it: groups in order, metrics that differ, the best of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reprolm.compare.circumstances import around
from reprolm.compare.groups import Group, Interval, differences, groups, sorted_groups
from reprolm.compare.quality import METRICS, Metric, incomparable
from reprolm.compare.runs import Compared
from reprolm.tracking.runs import FINISHED


@dataclass(frozen=True)
class Comparison:
    """Runs beside each other; `differing` and `around` hold a value for each of `runs`."""

    runs: tuple[Compared, ...]
    groups: tuple[Group, ...]
    differing: Mapping[str, Sequence[str]]
    around: Mapping[str, Sequence[str]]
    metrics: tuple[Metric, ...]
    reasons: Mapping[str, str]

    def best(self, metric: Metric) -> Group | None:
        """The group with the best mean, of equal ones the first; None where no end is better, or the numbers
        cannot be compared.
        """
        intervals = [(group, group.interval(metric.key)) for group in self.groups]
        means = [(found.mean, group) for group, found in intervals if found is not None]
        if not metric.lower or metric.key in self.reasons or len({mean for mean, _ in means}) < 2:
            return None
        return min(means, key=lambda item: item[0])[1]

    def near(self, metric: Metric, best: Group) -> list[Group]:
        """The groups whose interval overlaps that of the best one."""
        own = best.interval(metric.key)
        others = [(group, group.interval(metric.key)) for group in self.groups if group is not best]
        return [
            group
            for group, theirs in others
            if own is not None
            and theirs is not None
            and abs(theirs.mean - own.mean) <= (theirs.half or 0.0) + (own.half or 0.0)
        ]

    @property
    def shared(self) -> dict[str, str]:
        """The parameters that are the same in all runs."""
        first = self.runs[0].params
        return {key: value for key, value in first.items() if key not in self.differing}

    @property
    def notes(self) -> list[str]:
        """What a reader must know before believing a difference."""
        lines: dict[str, None] = dict.fromkeys(
            f"No best is marked where {reason}." for reason in self.reasons.values()
        )
        for word, values in self.around.items():
            lines[f"Not a parameter, but different too: {word} ({len(set(values))} in all)."] = None
        repeated = sum(len(group.repeated) for group in self.groups)
        if repeated:
            runs = "runs are repeated" if repeated > 1 else "run is repeated"
            lines[f"{repeated} {runs}, nothing differs: the newest that finished counts."] = None
        open_ = [run.name for run in self.runs if run.status != FINISHED]
        if open_:
            lines[f"Not finished: {', '.join(open_)}."] = None
        return list(lines)


def compared(runs: Sequence[Compared]) -> Comparison:
    """The comparison of some runs."""
    differing = differences(runs)
    ordered = sorted_groups(groups(runs), differing)
    metrics = tuple(metric for metric in METRICS if _differs(metric, ordered))
    members = tuple(run for group in ordered for run in (*group.runs, *group.repeated))
    return Comparison(
        members, tuple(ordered), differences(members), around(members), metrics, incomparable(members)
    )


def _differs(metric: Metric, found: Sequence[Group]) -> bool:
    values = {run.metrics.get(metric.key) for group in found for run in group.runs}
    return len(values) > 1


def written(found: Interval | None, digits: int) -> str:
    """A mean with its interval, digits as the interval allows.

    >>> written(Interval(1.23456, 0.0123, 3), 4), written(Interval(1.23456, None, 1), 4), written(None, 4)
    ('1.235 ± 0.012', '1.235', '–')
    """
    if found is None:
        return "–"
    if found.half is None or found.half == 0:
        return _number(found.mean, digits)
    half = float(f"{found.half:.2g}")
    decimals = max(0, -exponent(half) + 1)
    return f"{found.mean:,.{decimals}f} ± {half:,.{decimals}f}"


def exponent(value: float) -> int:
    """Of the power of ten that a positive number begins with.

    >>> exponent(0.012), exponent(340.0)
    (-2, 2)
    """
    return int(f"{value:e}".split("e")[1])


def _number(value: float, digits: int) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}"
