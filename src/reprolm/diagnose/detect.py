"""Events in a curve: spikes, divergence, a plateau, exploding gradients, experts without work, heads that
look at one token.

l_s is the loss of step s, l₀ the mean of the first 5, m_s the average with a half-life of 50 steps
(bias-corrected), m* its minimum so far, e_s = l_s − m_{s−1}, σ_s = 1.4826 · MAD of the last 100 e.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from reprolm.diagnose.config import EventsConfig
from reprolm.diagnose.events import Event, Kind

HALF_LIFE_STEPS, FIRST_STEPS, MEDIAN_STEPS = 50, 5, 5
NOISE_STEPS, LEAST_NOISE_STEPS, LEAST_SIGMA = 100, 20, 1e-3
SPIKE_AFTER, RECOVERY_STEPS = 50, 200
DIVERGED_STEPS, DIVERGED_AFTER_WARMUP, LEAST_LOST_SHARE, WORSE_THAN_UNIFORM = 100, 200, 0.10, 1.02
STUCK_AFTER, STUCK_SHARE = 0.2, 0.98
GRID, PLATEAU_POINTS, PLATEAU_BEFORE = 100, 10, 0.5
NORM_STEPS, LEAST_NORM_STEPS = 200, 20
IDLE_SHARE, IDLE_STEPS = 0.05, 200
FOCUSED, FOCUSED_SHARE, FOCUSED_LOOKS = 0.05, 0.25, 3
MOST_SKIPPED_STEPS = 20


@dataclass(frozen=True)
class Facts:
    """What the rules have to know of a run; `unigram_nats` is the entropy of single tokens in training."""

    total_steps: int
    warmup_steps: int
    vocab_size: int
    unigram_nats: float
    tests_rates: bool = False
    """A range test, which begins so slowly that it says nothing of being stuck."""


@dataclass(frozen=True)
class Observation:
    """What a step (counted from 1) showed; `loads` is the share of the choices of each expert, by layer."""

    step: int
    loss: float
    gradient_norm: float
    learning_rate: float
    skipped: bool = False
    """Left out, because its gradient overflowed in float16."""
    loads: Sequence[Sequence[float]] = ()


@dataclass
class Memory:
    """All that the detector remembers, in the form of JSON."""

    raw: float = 0.0
    average: float | None = None
    lowest: float | None = None
    first: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    noise: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    grid: list[float] = field(default_factory=list)
    above_steps: int = 0
    skipped_steps: int = 0
    idle_steps: list[list[int]] = field(default_factory=list)
    focused_looks: int = 0
    spike_until: float | None = None
    """The average at which an open spike has recovered."""
    events: list[dict[str, Any]] = field(default_factory=list)


def _kept(values: list[float], value: float, most: int) -> None:
    values.append(value)
    del values[:-most]


def spread(values: Sequence[float]) -> float:
    """1.4826 · median |x − median x|: the standard deviation of normal noise, whatever a few outliers do.

    >>> spread([1.0, 2.0, 3.0, 4.0, 1000.0])
    1.4826
    """
    middle = median(values)
    return 1.4826 * median(abs(value - middle) for value in values)


class Detector:
    """Takes one observation after another; `memory` is all that it needs to go on elsewhere."""

    def __init__(self, options: EventsConfig, facts: Facts, memory: dict[str, Any] | None = None) -> None:
        self.options, self.facts = options, facts
        self.memory = Memory(**memory) if memory else Memory()
        self.events = [Event(**fields) for fields in self.memory.events]

    def remembered(self) -> dict[str, Any]:
        """What the next detector takes as `memory`."""
        self.memory.events = [vars(event) for event in self.events]
        return asdict(self.memory)

    def take(self, seen: Observation) -> list[Event]:
        """The events that begin with this step."""
        known = len(self.events)
        if not self._finite(seen):
            return self.events[known:]
        before = self.memory.average
        self._average(seen)
        if before is not None:
            self._spike(seen, before)
        self._diverged(seen)
        if not self.facts.tests_rates:
            self._stuck(seen)
            self._plateau(seen)
        if not seen.skipped:
            self._exploded(seen)
        self._collapsed(seen)
        return self.events[known:]

    def attended(self, seen: Observation, entropies: Sequence[float]) -> list[Event]:
        """The event that begins with a look at all heads (`diagnose.attention`) after a step that was taken.

        More than a quarter of them have an entropy below 0.05 of the most, at three looks in a row.
        """
        known = len(self.events)
        share = sum(entropy < FOCUSED for entropy in entropies) / len(entropies)
        self.memory.focused_looks = self.memory.focused_looks + 1 if share > FOCUSED_SHARE else 0
        if self.memory.focused_looks >= FOCUSED_LOOKS:
            self._add("ENTROPY_COLLAPSE", seen, share)
        return self.events[known:]

    def _add(self, kind: Kind, seen: Observation, magnitude: float | None, *, again: bool = False) -> None:
        """A new event, or more of the one that the step before belonged to; once a run if not `again`."""
        same = [event for event in self.events if event.type == kind]
        if same and same[-1].last_step >= seen.step - 1:
            same[-1].last_step = seen.step
            if again:
                same[-1].magnitude = max(same[-1].magnitude or 0.0, magnitude or 0.0)
        elif not same or again:
            numbers = (seen.loss, self.memory.average, seen.gradient_norm)
            loss, average, norm = (x if x is not None and math.isfinite(x) else None for x in numbers)
            rate = seen.learning_rate
            self.events.append(Event(seen.step, kind, magnitude, loss, average, norm, rate, seen.step))

    def _finite(self, seen: Observation) -> bool:
        memory = self.memory
        memory.skipped_steps = memory.skipped_steps + 1 if seen.skipped else 0
        finite = math.isfinite(seen.loss) and (seen.skipped or math.isfinite(seen.gradient_norm))
        if not finite or memory.skipped_steps > MOST_SKIPPED_STEPS:
            self._add("NONFINITE", seen, None)
        return finite

    def _average(self, seen: Observation) -> None:
        memory, kept = self.memory, 0.5 ** (1 / HALF_LIFE_STEPS)
        if memory.average is not None:
            _kept(memory.noise, seen.loss - memory.average, NOISE_STEPS)
        memory.raw = kept * memory.raw + (1 - kept) * seen.loss
        memory.average = memory.raw / (1 - kept**seen.step)
        memory.lowest = min(memory.average, memory.lowest if memory.lowest is not None else math.inf)
        _kept(memory.losses, seen.loss, MEDIAN_STEPS)
        if len(memory.first) < FIRST_STEPS:
            memory.first.append(seen.loss)

    @property
    def _gained(self) -> float:
        """l₀ − m*."""
        lowest = self.memory.lowest
        assert lowest is not None
        return sum(self.memory.first) / len(self.memory.first) - lowest

    def _spike(self, seen: Observation, before: float) -> None:
        """The median of 5 losses is far above m_{s−1}; recovered when m is back at m_pre + 2 σ."""
        memory = self.memory
        assert memory.average is not None
        above = False
        if len(memory.noise) >= LEAST_NOISE_STEPS and seen.step > SPIKE_AFTER:
            sigma = max(spread(memory.noise), LEAST_SIGMA)
            limit = max(self.options.spike_sigmas * sigma, self.options.spike_share * before)
            height = median(memory.losses) - before
            above = height > limit
            if above and memory.spike_until is None:
                self._add("SPIKE", seen, height / limit, again=True)
                memory.spike_until = before + 2 * sigma
            elif above:
                spike = self._open_spike()
                spike.last_step, spike.magnitude = seen.step, max(spike.magnitude or 0.0, height / limit)
        if not above and memory.spike_until is not None and memory.average <= memory.spike_until:
            self._open_spike().recovered_step = seen.step
            memory.spike_until = None

    def sound_until(self, step: int) -> int:
        """The last step, up to the newest, before what may become a divergence."""
        spike = self._open_spike().step - MEDIAN_STEPS if self.memory.spike_until is not None else step
        return min(step - self.memory.above_steps, max(0, spike))

    def _open_spike(self) -> Event:
        return next(event for event in reversed(self.events) if event.type == "SPIKE")

    def _diverged(self, seen: Observation) -> None:
        """m far above m* for 100 steps; or worse than the uniform guess; or a spike that stays."""
        memory, facts = self.memory, self.facts
        assert memory.average is not None
        assert memory.lowest is not None
        start = memory.lowest + self._gained
        lost = max(self.options.diverged_share * self._gained, LEAST_LOST_SHARE * start)
        memory.above_steps = memory.above_steps + 1 if memory.average > memory.lowest + lost else 0
        late = seen.step > facts.warmup_steps + DIVERGED_AFTER_WARMUP
        uniform = WORSE_THAN_UNIFORM * math.log(facts.vocab_size)
        unrecovered = memory.spike_until is not None and seen.step - self._open_spike().step > RECOVERY_STEPS
        if memory.above_steps >= DIVERGED_STEPS or (late and memory.average > uniform) or unrecovered:
            self._add("DIVERGED", seen, memory.average - memory.lowest)

    def _stuck(self, seen: Observation) -> None:
        """After a fifth of the run m ≥ 0.98 · the entropy of single tokens; looked at once."""
        assert self.memory.average is not None
        unigram = self.facts.unigram_nats
        looked = math.floor(STUCK_AFTER * self.facts.total_steps) + 1
        if seen.step == looked and looked > HALF_LIFE_STEPS and self.memory.average >= STUCK_SHARE * unigram:
            self._add("STUCK_UNIGRAM", seen, self.memory.average / unigram)

    def _plateau(self, seen: Observation) -> None:
        """Between warm-up and half of the run, m hardly moved in a tenth of it; a rise is no plateau."""
        every = max(1, self.facts.total_steps // GRID)
        if seen.step % every or self.memory.average is None:
            return
        grid = self.memory.grid
        _kept(grid, self.memory.average, PLATEAU_POINTS + 1)
        began = seen.step - PLATEAU_POINTS * every
        over = seen.step > PLATEAU_BEFORE * self.facts.total_steps
        if len(grid) <= PLATEAU_POINTS or over or began < max(self.facts.warmup_steps, HALF_LIFE_STEPS):
            return
        share = (grid[0] - grid[-1]) / max(self._gained, 1e-12)
        if abs(share) < self.options.plateau_share:
            self._add("PLATEAU", seen, share)

    def _exploded(self, seen: Observation) -> None:
        """The gradient's norm against the median of the 200 before it."""
        norms = self.memory.norms
        if len(norms) >= LEAST_NORM_STEPS:
            usual = median(norms)
            if seen.gradient_norm > self.options.explosion_factor * usual:
                self._add("GRAD_EXPLODE", seen, seen.gradient_norm / max(usual, 1e-12), again=True)
        _kept(norms, seen.gradient_norm, NORM_STEPS)

    def _collapsed(self, seen: Observation) -> None:
        """An expert of some layer had less than 0.05 equal shares of the choices for 200 steps."""
        memory = self.memory
        if len(memory.idle_steps) != len(seen.loads):
            memory.idle_steps = [[0] * len(layer) for layer in seen.loads]
        for counts, loads in zip(memory.idle_steps, seen.loads, strict=True):
            for expert, load in enumerate(loads):
                shares = load * len(loads)
                counts[expert] = counts[expert] + 1 if shares < IDLE_SHARE else 0
                if counts[expert] >= IDLE_STEPS:
                    self._add("EXPERT_COLLAPSE", seen, shares)
