"""Events in curves: each sick one is told, healthy ones are left in peace."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import pytest

from reprolm.diagnose.detect import Detector, Memory, Observation, spread
from tests.diagnose import curves
from tests.diagnose.curves import FACTS, STEPS, Floats, detected, kinds, options

CASES = {
    "healthy": (curves.falling(), []),
    "recovered spike": (curves.recovered_spike(), ["SPIKE"]),
    "slow drift": (curves.slow_drift(), ["DIVERGED"]),
    "not a number": (curves.not_a_number(), ["NONFINITE"]),
    "jump": (curves.jump(), ["SPIKE", "DIVERGED"]),
    "stuck at unigram": (curves.stuck_at_unigram(), ["STUCK_UNIGRAM", "PLATEAU"]),
    "bump in the warm-up": (curves.warmup_bump(), []),
    "noisy small batch": (curves.falling(noise=0.35), []),
}


@pytest.mark.parametrize("name", CASES)
def test_each_simulated_curve_gives_exactly_the_wanted_events(name: str) -> None:
    curve, wanted = CASES[name]
    assert kinds(detected(curve).events) == wanted


def test_healthy_curves_with_heavy_tails_give_almost_no_events() -> None:
    found = [kinds(detected(curves.heavy_tailed(seed)).events) for seed in range(30)]
    assert sum(map(bool, found)) <= 1


def test_a_spike_says_when_it_came_how_long_it_lasted_and_when_it_was_over() -> None:
    (spike,) = detected(CASES["recovered spike"][0]).events
    assert 1001 <= spike.step <= 1004
    assert 1010 <= spike.last_step <= 1015
    assert spike.recovered_step is not None
    assert spike.last_step < spike.recovered_step < 1201
    assert spike.magnitude is not None
    assert spike.magnitude > 1


def test_a_spike_that_does_not_recover_in_200_steps_is_a_divergence() -> None:
    curve = curves.falling()
    curve[1000:] += 0.9  # too little to lose a quarter of what was gained
    spike, diverged = detected(curve).events
    assert (spike.type, diverged.type) == ("SPIKE", "DIVERGED")
    assert diverged.step == spike.step + 201


def test_a_loss_above_that_of_a_uniform_guess_is_a_divergence_after_the_warm_up() -> None:
    curve = np.full(STEPS, 1.03 * math.log(curves.VOCAB))
    assert [e.step for e in detected(curve).events if e.type == "DIVERGED"] == [curves.WARMUP + 201]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("cut", [1, 3, 49, 700, 1003, 1150])
def test_a_detector_that_is_restored_from_json_goes_on_as_if_nothing_had_been(name: str, cut: int) -> None:
    curve: Floats = CASES[name][0][:1400]
    cut = min(cut, 600 if name == "not a number" else cut)
    whole = detected(curve)
    memory = json.loads(json.dumps(detected(curve[:cut]).remembered(), allow_nan=False))
    resumed = detected(curve[cut:], Detector(options(), FACTS, memory), first=cut + 1)
    assert resumed.events == whole.events
    assert resumed.remembered() == whole.remembered()


def exploding() -> list[Observation]:
    norms = [1.0 + 0.1 * math.sin(step) for step in range(60)]
    norms[40] = norms[41] = 150.0
    return [Observation(step, 3.0, norm, 1e-3) for step, norm in enumerate(norms, 1)]


def overflowing(first: int = 1) -> list[Observation]:
    return [Observation(step, 3.0, math.inf, 1e-3, skipped=True) for step in range(first, first + 21)]


def collapsing(load: float = 0.012, steps: int = 210) -> list[Observation]:
    rest = (1 - load) / 3
    layers = [[0.25] * 4, [rest, load, rest, rest]]
    return [Observation(step, 5.0 - step / 100, 1.0, 1e-3, loads=layers) for step in range(1, steps + 1)]


@dataclass(frozen=True)
class Look(Observation):
    """A step after which the heads are looked at."""

    entropies: Sequence[float] = ()


def focused(shares: list[float]) -> list[Observation]:
    """After every tenth step eight heads are looked at, of which a share looks at single tokens."""
    seen = [Observation(step, 5.0 - step / 100, 1.0, 1e-3) for step in range(1, 10 * len(shares) + 1)]
    for share, index in zip(shares, range(9, len(seen), 10), strict=True):
        heads = [0.04 if head < 8 * share else 0.06 for head in range(8)]
        seen[index] = Look(**asdict(seen[index]), entropies=heads)
    return seen


def observed(name: str) -> list[Observation]:
    return [Observation(step, loss, 1.0, 1e-3) for step, loss in enumerate(CASES[name][0].tolist(), 1)]


def taken(seen: list[Observation], memory: dict[str, Any] | None = None) -> Detector:
    detector = Detector(options(), FACTS, memory)
    for observation in seen:
        detector.take(observation)
        if isinstance(observation, Look):
            detector.attended(observation, observation.entropies)
    return detector


FORGOTTEN: dict[str, tuple[list[Observation], int]] = {
    "raw": (observed("jump"), 950),
    "average": (observed("recovered spike"), 1002),
    "lowest": (observed("slow drift"), 1150),
    "first": (observed("slow drift"), 1060),
    "losses": (observed("recovered spike"), 1000),
    "noise": (observed("recovered spike"), 1000),
    "norms": (exploding(), 30),
    "grid": (observed("stuck at unigram"), 450),
    "above_steps": (observed("slow drift"), 1520),
    "skipped_steps": (overflowing(), 10),
    "idle_steps": (collapsing(), 100),
    "focused_looks": (focused([0.5] * 3), 20),
    "spike_until": (observed("recovered spike"), 1010),
    "events": (observed("recovered spike"), 1500),
}
"""In which curve, and where, a detector that forgets one thing tells something else."""


@pytest.mark.parametrize("name", [field.name for field in fields(Memory)])
def test_a_detector_that_forgets_anything_tells_other_events(name: str) -> None:
    seen, cut = FORGOTTEN[name]
    whole, memory = taken(seen).events, taken(seen[:cut]).remembered()
    assert taken(seen[cut:], memory).events == whole
    memory = taken(seen[:cut]).remembered()
    assert taken(seen[cut:], memory | {name: asdict(Memory())[name]}).events != whole


def test_a_range_test_is_not_called_stuck() -> None:
    detector = Detector(options(), replace(FACTS, tests_rates=True))
    assert not detected(CASES["stuck at unigram"][0], detector).events


def test_a_gradient_a_hundred_times_the_usual_is_told_and_one_that_was_skipped_is_not() -> None:
    detector = taken(exploding())
    (event,) = detector.events
    assert (event.type, event.step, event.last_step) == ("GRAD_EXPLODE", 41, 42)
    assert event.record()["batches"] == [40, 41]
    for observation in overflowing(61):
        detector.take(observation)
        assert kinds(detector.events) == ["GRAD_EXPLODE"] + ["NONFINITE"] * (observation.step == 81)


def test_a_gradient_that_is_not_finite_stops_at_once() -> None:
    (event,) = Detector(options(), FACTS).take(Observation(1, 3.0, math.nan, 1e-3))
    assert event.type == "NONFINITE"
    assert json.dumps(event.record(), allow_nan=False)


def test_an_expert_without_work_for_200_steps_has_collapsed() -> None:
    def told(load: float, steps: int) -> list[str]:
        return kinds(taken(collapsing(load, steps)).events)

    assert told(0.012, 199) == []
    assert told(0.012, 210) == ["EXPERT_COLLAPSE"]
    assert told(0.013, 300) == []  # 0.05 / 4 = 0.0125


def test_the_spread_of_normal_noise_is_its_standard_deviation() -> None:
    assert spread(np.random.default_rng(0).normal(0, 2.0, 20_000).tolist()) == pytest.approx(2.0, rel=0.03)


@pytest.mark.parametrize(
    ("shares", "steps"),
    [
        ([0.375, 0.5, 1.0, 1.0, 0.5], [30]),
        ([1.0, 1.0, 0.25, 1.0, 1.0], []),
        ([0.25] * 9, []),
        ([0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0], [40]),
    ],
)
def test_heads_that_look_at_single_tokens_are_told_once_after_three_looks(
    shares: list[float], steps: list[int]
) -> None:
    events = taken(focused(shares)).events
    assert [event.step for event in events if event.type == "ENTROPY_COLLAPSE"] == steps
    assert all(event.magnitude == shares[event.step // 10 - 1] for event in events)
