"""Simulated training curves, healthy and sick."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from reprolm.diagnose.config import EventsConfig
from reprolm.diagnose.detect import Detector, Facts, Observation
from reprolm.diagnose.events import Event

Floats = npt.NDArray[np.float64]
STEPS, WARMUP, VOCAB, UNIGRAM = 2000, 100, 4096, 6.2
FACTS = Facts(STEPS, WARMUP, VOCAB, UNIGRAM)
AT = np.arange(STEPS)


def options(**changes: Any) -> EventsConfig:
    values: dict[str, Any] = {
        "on_divergence": "stop", "spike_sigmas": 4.0, "spike_share": 0.1, "diverged_share": 0.25,
        "plateau_share": 0.005, "explosion_factor": 100.0,
    }  # fmt: skip
    return EventsConfig(**(values | changes))


def falling(seed: int = 0, noise: float = 0.05, floor: float = 3.0) -> Floats:
    """From ln V towards a floor, as a power of the steps, with normal noise."""
    level = floor + (math.log(VOCAB) - floor) / np.sqrt(1 + AT / 40)
    return np.asarray(level + noise * np.random.default_rng(seed).standard_normal(STEPS))


def recovered_spike() -> Floats:
    curve = falling()
    curve[1000:1012] += 2.0
    return curve


def slow_drift() -> Floats:
    curve = falling()
    curve[1050:] += 0.0035 * (AT[1050:] - 1050)
    return curve


def not_a_number() -> Floats:
    curve = falling()
    curve[700] = math.nan
    return curve


def jump() -> Floats:
    curve = falling()
    curve[900:] = 7.5 + 0.05 * np.random.default_rng(1).standard_normal(STEPS - 900)
    return curve


def stuck_at_unigram() -> Floats:
    return (
        UNIGRAM
        + 0.01
        + (math.log(VOCAB) - UNIGRAM) * np.exp(-AT / 30)
        + 0.05 * np.random.default_rng(2).standard_normal(STEPS)
    )


def warmup_bump() -> Floats:
    return falling() + 0.8 * np.exp(-(((AT - 70) / 25.0) ** 2))


def heavy_tailed(seed: int) -> Floats:
    noise = np.random.default_rng(seed).standard_t(4, STEPS)
    return falling(seed, noise=0.0) + 0.1 * noise


def detected(curve: Floats, detector: Detector | None = None, first: int = 1) -> Detector:
    """A detector that saw a curve from its step `first` on, up to the first number that is none."""
    detector = detector or Detector(options(), FACTS)
    for step, loss in enumerate(curve.tolist(), first):
        detector.take(Observation(step, loss, 1.0, 1e-3))
        if not math.isfinite(loss):
            break
    return detector


def kinds(events: list[Event]) -> list[str]:
    return [event.type for event in events]
