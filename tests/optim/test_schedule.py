"""The learning rate over the steps."""

import itertools
from dataclasses import asdict
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reprolm.config import words
from reprolm.optim.config import OptimConfig
from reprolm.optim.schedule import Plateau, Schedule, share
from tests.settings import train_config

KINDS = words(OptimConfig.model_fields["schedule"].annotation)
ENDLESS = ("constant", "inverse_square_root", "plateau")
"""Kinds that do not look at how many steps there are."""
KIND = pytest.mark.parametrize("kind", KINDS)
BASE = train_config()


def config(kind: str, warmup: int = 0, final: float = 0.0, **changes: Any) -> OptimConfig:
    """A schedule; `changes` are made to the groups of options."""
    values = {"schedule": kind, "warmup_steps": warmup, "final_learning_rate_share": final}
    groups = {name: getattr(BASE, name).model_copy(update=change) for name, change in changes.items()}
    return BASE.model_copy(update=values | groups)


def shares(chosen: OptimConfig, steps: int) -> list[float]:
    return [share(chosen, step, steps) for step in range(steps)]


FALLING = pytest.mark.parametrize("kind", sorted(set(KINDS) - {"range"}))


@FALLING
@given(st.integers(2, 300), st.data())
def test_it_rises_to_one_falls_towards_the_end_and_never_leaves_the_bounds(
    kind: str, steps: int, data: st.DataObject
) -> None:
    warmup, final = data.draw(st.integers(0, steps - 1)), data.draw(st.floats(0, 1))
    values = shares(config(kind, warmup, final), steps)
    assert values[:warmup] == [(step + 1) / warmup for step in range(warmup)]
    assert values[warmup:] == sorted(values[warmup:], reverse=True)
    assert all(final - 1e-12 <= value <= 1 for value in values[warmup:])


@FALLING
@pytest.mark.parametrize("warmup", [0, 1, 100])
def test_it_ends_where_it_should(kind: str, warmup: int) -> None:
    values = shares(config(kind, warmup, 0.1), 1000)
    end = {"constant": 1.0, "plateau": 1.0, "inverse_square_root": None}.get(kind, 0.1)
    assert end is None or values[-1] == pytest.approx(end)


@KIND
def test_it_has_no_jumps(kind: str) -> None:
    chosen = config(kind, 1000, wsd={"decay": "linear"}, inverse_square_root={"timescale_steps": 500})
    values = shares(chosen, 10_000)
    assert max(abs(b - a) for a, b in itertools.pairwise(values)) <= 0.0011


@pytest.mark.parametrize("kind", ENDLESS)
def test_without_an_end_the_horizon_changes_nothing(kind: str) -> None:
    chosen = config(kind, 10, 0.1)
    assert shares(chosen, 100) == shares(chosen, 200)[:100]


def stepped(schedule: torch.optim.lr_scheduler.LRScheduler, steps: int) -> list[float]:
    """The rates of a foreign schedule with a peak of 1, from its second value on: ours begins after 0."""
    rates = []
    for _ in range(steps):
        schedule.optimizer.step()
        schedule.step()
        rates.append(schedule.get_last_lr()[0])
    return rates


def sgd() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def test_cosine_is_that_of_torch() -> None:
    foreign = torch.optim.lr_scheduler.CosineAnnealingLR(sgd(), T_max=50, eta_min=0.1)
    assert shares(config("cosine", 0, 0.1), 50) == pytest.approx(stepped(foreign, 50))


@pytest.mark.parametrize("warmup", [0, 10])
def test_each_is_that_of_transformers(warmup: int) -> None:
    from transformers import optimization as foreign

    steps, cooldown = 60, (60 - warmup) // 5
    stable = steps - warmup - cooldown
    wsd: dict[str, Any] = {"num_stable_steps": stable, "num_decay_steps": cooldown}
    peers = {
        ("constant", ""): foreign.get_constant_schedule_with_warmup(sgd(), warmup),
        ("linear", ""): foreign.get_linear_schedule_with_warmup(sgd(), warmup, steps),
        ("cosine", ""): foreign.get_cosine_schedule_with_warmup(sgd(), warmup, steps),
        ("inverse_square_root", ""): foreign.get_inverse_sqrt_schedule(sgd(), warmup, timescale=20),
        ("wsd", "linear"): foreign.get_wsd_schedule(sgd(), warmup, decay_type="linear", **wsd),
        ("wsd", "sqrt"): foreign.get_wsd_schedule(sgd(), warmup, decay_type="1-sqrt", **wsd),
    }
    for (kind, decay), peer in peers.items():
        change = {"wsd": {"decay": decay, "decay_share": 0.2}} if decay else {}
        chosen = config(kind, warmup, inverse_square_root={"timescale_steps": 20}, **change)
        assert shares(chosen, steps) == pytest.approx(stepped(peer, steps)), kind


LOSSES = st.lists(st.floats(0.1, 10).map(lambda loss: round(loss, 1)), max_size=40)


@given(LOSSES, st.integers(0, 4), st.sampled_from([0.1, 0.5, 0.9]), st.sampled_from([0.0, 1e-4, 0.2]))
def test_plateau_is_that_of_torch(
    losses: list[float], patience: int, factor: float, threshold: float
) -> None:
    change = {"factor": factor, "patience_validations": patience, "threshold": threshold}
    ours = Schedule(config("plateau", final=0.05, plateau=change), 1000)
    optimizer = sgd()
    foreign = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=factor, patience=patience, threshold=threshold, min_lr=0.05, eps=0.0
    )
    for step, loss in enumerate(losses):
        ours.validated(loss)
        foreign.step(loss)
        assert ours.share(step) == pytest.approx(optimizer.param_groups[0]["lr"])


@given(LOSSES, st.integers(0, 40))
def test_plateau_goes_on_from_what_it_remembers(losses: list[float], cut: int) -> None:
    whole, first, second = (Schedule(config("plateau"), 1000) for _ in range(3))
    for loss in losses:
        whole.validated(loss)
    for loss in losses[:cut]:
        first.validated(loss)
    second.plateau = Plateau(**asdict(first.plateau))
    for loss in losses[cut:]:
        second.validated(loss)
    assert second.plateau == whole.plateau


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"plateau"}))
def test_no_other_kind_hears_of_validations(kind: str) -> None:
    chosen = config(kind, plateau={"patience_validations": 0})
    schedule = Schedule(chosen, 100)
    for _ in range(5):
        schedule.validated(1.0)
    assert [schedule.share(step) for step in range(100)] == shares(chosen, 100)


def test_plateau_is_warmed_up_too() -> None:
    schedule = Schedule(config("plateau", 4, plateau={"patience_validations": 0, "factor": 0.5}), 100)
    assert [schedule.share(step) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    for loss in (1.0, 1.0):
        schedule.validated(loss)
    assert [schedule.share(step) for step in (0, 3, 4)] == [0.125, 0.5, 0.5]


@pytest.mark.parametrize("warmup", [0, 30])
def test_a_range_test_rises_by_the_same_factor_from_the_lowest_rate_to_the_highest(warmup: int) -> None:
    values = shares(config("range", warmup, range={"lowest_share": 0.01}), 201)
    assert (values[0], values[-1]) == (pytest.approx(0.01), 1.0)
    assert [b / a for a, b in itertools.pairwise(values)] == pytest.approx([100 ** (1 / 200)] * 200)
