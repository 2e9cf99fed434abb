"""What watches a training run: series, norms, events and digests. It changes no weight."""

import time
from itertools import chain
from statistics import mean
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from reprolm.data.batches import Batch
from reprolm.data.shards import Tokens
from reprolm.diagnose import attention, digests
from reprolm.diagnose.detect import Detector, Facts, Observation
from reprolm.diagnose.events import Event
from reprolm.diagnose.norms import Norms
from reprolm.diagnose.series import Series
from reprolm.model.storage import weights
from reprolm.model.transformer import Transformer
from reprolm.train.step import Step

MOST_COUNTED_TOKENS = 1 << 24
PROBE_WINDOWS, MOST_PROBE_TOKENS = 4, 128


def unigram_nats(tokens: Tokens) -> float:
    """The entropy of single tokens, −Σ p ln p, in the first 16.8 million of a split."""
    counts = np.bincount(tokens[:MOST_COUNTED_TOKENS], minlength=tokens.vocab_size)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def probe(tokens: Tokens, context_length: int) -> Int[Tensor, "B T"]:
    """A few short windows from the beginning of a split: maps of attention over more would cost too much."""
    length = min(context_length, MOST_PROBE_TOKENS, len(tokens))
    count = min(PROBE_WINDOWS, len(tokens) // length)
    return torch.from_numpy(tokens[: count * length]).view(count, length)


class Watch:
    """Sees each step of a run; what it remembers is a part of the run's checkpoints."""

    def __init__(self, step: Step, model: Transformer, series: Series) -> None:
        run = step.run
        facts = Facts(
            step.total, run.train.warmup_steps, model.vocab_size, unigram_nats(run.training),
            tests_rates=run.train.schedule == "range",
        )  # fmt: skip
        self.step, self._model = step, model
        self.series, self.norms = series, Norms(model)
        self.detector = Detector(run.train.events, facts)
        self.stations: dict[str, dict[str, str]] = {}
        """By step: digests of the weights after it and of the batch that led to them."""
        self._probe = probe(run.validation, run.model.context_length)
        self._waiting: list[tuple[int, Tensor, Tensor, float, Tensor | None]] = []
        self._last: Observation | None = None
        self._found: list[Event] = []
        self._began = time.monotonic()

    def remembered(self) -> dict[str, Any]:
        """All but the series, in the form of JSON."""
        return {"detector": self.detector.remembered(), "stations": self.stations}

    def restore(self, memory: dict[str, Any]) -> None:
        """Goes on from what a checkpoint holds."""
        self.detector = Detector(self.detector.options, self.detector.facts, memory["detector"])
        self.stations = memory["stations"]

    def begin(self) -> None:
        """A step begins."""
        self._began = time.monotonic()

    def end(self, number: int, told: dict[str, Tensor], norm: Tensor) -> None:
        """A step has ended, with `number` steps made now; nothing is read from the device yet."""
        rate = float(self.step.optimizers[0].param_groups[0]["lr"])
        self._waiting.append((number, told["train/loss"], norm, rate, told.get("load")))
        self.norms.take(number, self.step.norms)
        self.series.append(learning_rate=rate, seconds=time.monotonic() - self._began)

    def look(self) -> list[Event]:
        """Reads what was not read yet, for which a GPU is waited for; returns the events in it."""
        found, self._found = self._found, []
        for number, loss, norm, rate, load in self._waiting:
            seen = Observation(
                number, float(loss), float(norm), rate,
                skipped=self.step.precision.scale is not None and not bool(torch.isfinite(norm)),
                loads=load.tolist() if load is not None else (),
            )  # fmt: skip
            self.series.append(loss=seen.loss, gradient_norm=seen.gradient_norm)
            found += self.detector.take(seen)
            self._last = seen
        self._waiting.clear()
        return found

    def look_at_attention(self) -> float | None:
        """How widely the heads look, their mean (`diagnose.attention`), on the same text each time.

        None where there is but one token to look at. Belongs to the last step that `look` has read.
        """
        heads = list(chain(*attention.entropies(self._model, self._probe)))
        if not heads:
            return None
        assert self._last is not None
        self._found += self.detector.attended(self._last, heads)
        return mean(heads)

    def certify(self, number: int) -> None:
        """Keeps the digests after `number` steps."""
        batch = self.batch_before(number)
        self.stations[str(number)] = {
            "weights": digests.of_weights(weights(self._model)),
            "batch": digests.of_batch(batch.inputs, batch.targets),
        }

    def batch_before(self, number: int) -> Batch:
        """The batch that led to the weights after `number` steps."""
        return self.step.batches.at(max(0, number - 1))

    def records(self) -> list[dict[str, Any]]:
        """The lines of `events.jsonl`; `documents` are those of the batch that led to the first step."""
        documents = self.step.batches.documents
        return [event.record() | {"documents": documents(event.step - 1)} for event in self.detector.events]
