"""Groups over seeds, their intervals, and where a best may be marked."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reprolm.compare.groups import circumstances, differences, groups, interval
from reprolm.compare.page import headline
from reprolm.compare.quality import METRICS, incomparable
from reprolm.compare.result import compared
from reprolm.compare.runs import Compared

BITS = METRICS[0]


def run(name: str, quality: float = 1.0, tags: dict[str, str] | None = None, **params: str) -> Compared:
    return Compared(name, name, "FINISHED", params, {BITS.key: quality}, tags or {})


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12))
def test_the_interval_is_that_of_scipy(values: list[float]) -> None:
    found = interval(values)
    error = stats.sem(values)
    assert found.half is not None
    assert math.isclose(found.mean, float(np.mean(values)), rel_tol=1e-9, abs_tol=1e-9)
    expected = stats.t.ppf(0.975, len(values) - 1) * error
    assert math.isclose(found.half, float(expected), rel_tol=1e-6, abs_tol=1e-9)


def test_one_run_has_a_mean_and_no_interval() -> None:
    assert interval([3.0]).half is None


def test_runs_that_differ_in_the_seed_alone_are_one_group_named_by_what_differs() -> None:
    runs = [run(f"{rate}{seed}", rate=rate, seed=seed) for rate in ("0.1", "0.2") for seed in ("1", "2")]
    found = groups(runs)
    assert [(group.name, len(group.runs)) for group in found] == [("rate=0.1", 2), ("rate=0.2", 2)]
    assert set(differences(runs)) == {"rate", "seed"}


def test_a_parameter_that_does_not_act_in_a_run_is_told_apart_from_any_value() -> None:
    runs = [run("a", **{"position": "rope", "rope.theta": "1e4"}), run("b", position="none")]
    assert differences(runs) == {"position": ["rope", "none"], "rope.theta": ["1e4", "–"]}


def test_the_same_seed_twice_makes_no_interval_narrower() -> None:
    found = compared([run("new", 1.0, seed="1"), run("old", 1.0, seed="1"), run("two", 2.0, seed="2")])
    [group] = found.groups
    assert [each.name for each in group.runs] == ["new", "two"]
    assert [each.name for each in group.repeated] == ["old"]
    assert any("1 older run" in note for note in found.notes)


def test_the_best_is_the_group_with_the_best_mean() -> None:
    found = compared([run("a", 2.0, rate="1"), run("b", 1.0, rate="2"), run("c", 3.0, rate="3")])
    best = found.best(BITS)
    assert best is not None
    assert best.name == "rate=2"
    assert found.near(BITS, best) == []


def test_groups_whose_intervals_overlap_are_told() -> None:
    values = {"1": (1.0, 1.2), "2": (1.1, 1.3), "3": (9.0, 9.1)}
    runs = [
        run(f"{rate}{seed}", value, rate=rate, seed=str(seed))
        for rate, both in values.items() for seed, value in enumerate(both)
    ]  # fmt: skip
    found = compared(runs)
    best = found.best(BITS)
    assert best is not None
    assert [group.name for group in found.near(BITS, best)] == ["rate=2"]
    assert "the best mean of 3; 1 other overlaps" in headline(found)


@pytest.mark.parametrize(
    ("tags", "params", "blocked"),
    [
        ({"stage.encode.digest": "y"}, {}, {"train/best_validation_loss", "evaluate/perplexity"}),
        ({"stage.download.digest": "y"}, {}, {metric.key for metric in METRICS if metric.lower}),
        ({}, {"evaluate.split": "test"}, {"evaluate/bits_per_byte", "evaluate/perplexity"}),
        ({}, {"evaluate.stride": "9"}, {"evaluate/sliding/bits_per_byte"}),
    ],
)
def test_no_best_is_marked_where_runs_were_not_judged_alike(
    tags: dict[str, str], params: dict[str, str], blocked: set[str]
) -> None:
    same = {"stage.encode.digest": "x", "stage.download.digest": "x"}
    alike = {"evaluate.split": "validation", "model.n_layers": "1"}
    other = alike | {"model.n_layers": "2"} | params
    runs = [run("a", 1.0, same, **alike), run("b", 2.0, same | tags, **other)]
    assert blocked <= set(incomparable(runs))
    if BITS.key in blocked:
        assert compared(runs).best(BITS) is None
    else:
        assert compared(runs).best(BITS) is not None


def test_other_code_is_named_beside_the_parameters() -> None:
    runs = [run("a", tags={"git.commit": "1"}, x="1"), run("b", tags={"git.commit": "2"}, x="2")]
    assert list(circumstances(runs)) == ["code, by commit"]
    assert any("code, by commit" in note for note in compared(runs).notes)
