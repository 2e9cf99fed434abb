"""Groups over seeds, their intervals, and where a best may be marked."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reprolm.compare.circumstances import around
from reprolm.compare.groups import differences, groups, interval
from reprolm.compare.page import headline, render
from reprolm.compare.quality import METRICS, incomparable
from reprolm.compare.result import compared
from reprolm.compare.runs import Compared
from reprolm.compare.table import table

BITS = METRICS[0]


def run(
    name: str, quality: float = 1.0, tags: dict[str, str] | None = None, at: int = 0, **params: str
) -> Compared:
    status = params.pop("status", "FINISHED")
    return Compared(name, name, status, params, {BITS.key: quality}, tags or {}, started=at)


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


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))])
def test_of_a_run_that_was_repeated_the_newest_that_finished_counts_however_they_are_typed(
    order: tuple[int, ...],
) -> None:
    runs = [run("old", at=1, seed="1"), run("new", at=2, seed="1"), run("two", at=0, seed="2"),
            run("newest", at=3, seed="1", status="RUNNING")]  # fmt: skip
    found = compared([runs[index] for index in order])
    [group] = found.groups
    assert [each.name for each in group.runs] == ["new", "two"]
    assert {each.name for each in group.repeated} == {"old", "newest"}
    assert any("2 runs are repeated, nothing differs" in note for note in found.notes)


@pytest.mark.parametrize(
    ("tag", "word"),
    [
        ("digest.code", "code"),
        ("git.commit", "code"),
        ("git.dirty_sha256", "code"),
        ("stage.download.digest", "corpus"),
        ("stage.encode.digest", "tokens"),
        ("version.torch", "torch"),
        ("version.regex", "regex"),
        ("device", "device"),
        ("machine.processor", "processor"),
    ],
)
def test_runs_that_differ_besides_their_parameters_are_groups_of_their_own_by_age(
    tag: str, word: str
) -> None:
    def of(value: str, first: int) -> list[Compared]:
        return [run(f"{value}{s}", first + s / 10, {tag: value}, first, seed=str(s)) for s in (1, 2)]

    found = compared([*of("second", 2), *of("first", 1)])
    assert [len(group.runs) for group in found.groups] == [2, 2]
    assert [group.runs[0].name for group in found.groups] == ["first1", "second1"]
    assert all(group.name.startswith(f"{word} ") for group in found.groups)
    assert not [group.repeated for group in found.groups if group.repeated]


def test_groups_of_other_code_are_told_apart_within_each_value_of_a_parameter() -> None:
    runs = [
        run(f"{x}{code}", tags={"digest.code": code * 64}, x=x)
        for x, code in (("1", "a"), ("1", "b"), ("2", "b"))
    ]
    found = compared(runs)
    assert [group.name for group in found.groups] == ["x=1, code aaaaaaa", "x=1, code bbbbbbb", "x=2"]
    page = render(found, ["reprolm", "compare"])
    assert '<th scope="col">besides parameters</th>' in page
    assert '<td class="value">code bbbbbbb</td>' in page


def test_data_that_differ_with_parameters_are_no_reason_of_their_own() -> None:
    runs = [run(x, tags={"stage.encode.digest": x}, x=x) for x in ("1", "2")]
    assert [group.name for group in groups(runs)] == ["x=1", "x=2"]
    assert around(runs) == {}


def test_the_best_is_the_group_with_the_best_mean() -> None:
    found = compared([run("a", 2.0, rate="1"), run("b", 1.0, rate="2"), run("c", 3.0, rate="3")])
    best = found.best(BITS)
    assert best is not None
    assert best.name == "rate=2"
    assert found.near(BITS, best) == []


def test_of_groups_with_the_same_interval_the_first_is_the_best_and_the_other_is_near() -> None:
    found = compared([run("a", 1.0, rate="1"), run("b", 1.0, rate="2"), run("c", 3.0, rate="3")])
    best = found.best(BITS)
    assert best is not None
    assert best.name == "rate=1"
    assert [group.name for group in found.near(BITS, best)] == ["rate=2"]


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
    assert "* best mean" in table(found)
    assert "*" not in table(compared(runs[:2]))


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
    assert list(around(runs)) == ["code"]
    assert any("different too: code" in note for note in compared(runs).notes)


def test_the_same_code_in_two_commits_is_the_same() -> None:
    runs = [run(c, tags={"git.commit": c, "digest.code": "same"}, seed=c) for c in ("1", "2")]
    assert [len(group.runs) for group in groups(runs)] == [2]
