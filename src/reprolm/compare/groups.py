"""What differs between runs, and the groups of those that differ in the seed alone."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.special import stdtrit

from reprolm.compare.circumstances import ABSENT, apart, circumstances
from reprolm.compare.runs import Compared
from reprolm.names import short_names
from reprolm.tracking.runs import FINISHED

SEED = "seed"


@dataclass(frozen=True)
class Interval:
    """The mean of `count` values; with 95 % confidence the true one lies within `half` of it."""

    mean: float
    half: float | None
    count: int


def interval(values: Sequence[float]) -> Interval:
    """Student's interval, mean ± t(0.975, n−1) · s / √n; None as half where one value is all.

    >>> interval([1.0, 2.0, 3.0])
    Interval(mean=2.0, half=2.484..., count=3)
    """
    count = len(values)
    mean = math.fsum(values) / count
    if count < 2:
        return Interval(mean, None, count)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    return Interval(mean, float(stdtrit(count - 1, 0.975)) * deviation / math.sqrt(count), count)


@dataclass(frozen=True)
class Group:
    """Runs that differ in the seed alone, each seed once; `repeated` are further runs of the same seeds.

    `besides` tells it from groups of the same parameters: other code, data, versions or machine.
    """

    name: str
    runs: tuple[Compared, ...]
    repeated: tuple[Compared, ...] = ()
    besides: str = ""

    def interval(self, metric: str) -> Interval | None:
        """That of a metric over the runs that have it."""
        values = [run.metrics[metric] for run in self.runs if metric in run.metrics]
        return interval(values) if values else None


def differences(runs: Sequence[Compared]) -> dict[str, list[str]]:
    """The parameters that differ, with the value in each run; absent where one does not act."""
    keys = dict.fromkeys(key for run in runs for key in run.params)
    values = {key: [run.params.get(key, ABSENT) for run in runs] for key in keys}
    return {key: those for key, those in values.items() if len(set(those)) > 1}


def _parameters(run: Compared) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in run.params.items() if name != SEED)


def groups(runs: Sequence[Compared]) -> list[Group]:
    """The groups, in the order of their first runs; named by what tells them from the others."""
    together: dict[Any, list[Compared]] = {}
    for run in runs:
        key = (_parameters(run), tuple(circumstances(run).values()))
        together.setdefault(key, []).append(run)
    differing = [key for key in differences(runs) if key != SEED]
    labels = short_names(differing)
    made = []
    for (params, _), those in together.items():
        name = ", ".join(f"{labels[key]}={plain(those[0].params.get(key, ABSENT))}" for key in differing)
        alike = [others[0] for (other, _), others in together.items() if other == params]
        made.append(_group(name, apart(those[0], alike), those))
    return made


def _group(name: str, besides: str, runs: Sequence[Compared]) -> Group:
    by_seed: dict[str, Compared] = {}
    # of equal runs the newest counts, unless it has not finished and another has
    for run in sorted(runs, key=lambda run: (run.status == FINISHED, run.started), reverse=True):
        by_seed.setdefault(run.params.get(SEED, run.id), run)
    kept = tuple(
        sorted(by_seed.values(), key=lambda run: (len(run.params.get(SEED, "")), run.params.get(SEED, "")))
    )
    name = ", ".join(filter(None, [name, besides])) or (kept[0].name if len(kept) == 1 else "all seeds")
    return Group(name, kept, tuple(run for run in runs if run not in kept), besides)


def plain(value: str) -> str:
    """A parameter as MLflow keeps it, in few letters.

    >>> plain("0.0010"), plain('["a", "b"]')
    ('0.0010', '["a", "b"]')
    """
    return value if len(value) <= 24 else value[:23] + "…"


def ordered(value: str) -> Any:
    """A key that sorts numbers as numbers."""
    try:
        return (0, float(json.loads(value)), value)
    except (ValueError, TypeError):
        return (1, 0.0, value)


def sorted_groups(found: Sequence[Group], differing: Mapping[str, Any]) -> list[Group]:
    """Groups by the values of what differs, so that a grid reads as one; those of the same values by age."""
    keys = [key for key in differing if key != SEED]

    def place(group: Group) -> tuple[list[Any], int]:
        values = [ordered(group.runs[0].params.get(key, "")) for key in keys]
        return values, min(run.started for run in group.runs)

    return sorted(found, key=place)
