"""The training loop: a step is a function of the seed, its number and the weights before it."""

import functools
import math
import time
import zlib
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

from reprolm.diagnose.digests import STEPS as CERTIFIED
from reprolm.diagnose.events import MEANING, Event
from reprolm.errors import Exit, ReprolmError, Stopped, refuse
from reprolm.evaluate.loss import mean_loss
from reprolm.journal import Journal, read
from reprolm.model.initialise import initialise
from reprolm.model.storage import weights
from reprolm.model.transformer import Transformer
from reprolm.optim.average import Average
from reprolm.optim.groups import optimizers
from reprolm.optim.schedule import Plateau
from reprolm.progress import Progress
from reprolm.store import canonical, prune
from reprolm.train import forensics
from reprolm.train.checkpoint import Checkpoints, State, Tensors
from reprolm.train.display import Display
from reprolm.train.precision import LossScale
from reprolm.train.run import Run
from reprolm.train.signals import Signals
from reprolm.train.step import Step
from reprolm.train.watch import Watch

VALIDATION_BATCH_TOKENS = 8192


FATAL = ("NONFINITE", "DIVERGED")
"""Events that end a run."""


class Recorder(Protocol):
    """Takes the points of the curves; training does not know who listens."""

    def point(self, step: int, values: Mapping[str, float], at: float) -> None:
        """Numbers that hold after `step` steps, at a time in seconds since 1970."""


def _chained(sum_before: int, record: dict[str, Any]) -> int:
    """A checksum of all records up to one."""
    return zlib.crc32(canonical(record).encode(), sum_before)


def _stopped(event: Event) -> ReprolmError:
    numbers = {"loss": event.loss, "gradient norm": event.gradient_norm, "learning rate": event.learning_rate}
    got = ", ".join(f"{k} {'not finite' if v is None else f'{v:.4g}'}" for k, v in numbers.items())
    want = "a lower train.learning_rate or a longer warm-up"
    what = f"{event.type}: {MEANING[event.type].split(',')[0]}"
    return refuse(f"step {event.step}", what, got=got, want=want, exit=Exit.DIVERGED)


class Trainer:
    """One training run, resumed from its newest checkpoint if it has one.

    The directory holds the checkpoints and `curve.jsonl`, the journal of every point so far; `decode` makes
    tokens readable where it had to stop.
    """

    def __init__(self, run: Run, directory: Path, recorder: Recorder, decode: forensics.Decode = str) -> None:
        self.run, self.recorder, self._decode = run, recorder, decode
        config = run.train
        run.validation.require(run.model.context_length)
        model = initialise(Transformer(run.model, run.training.vocab_size), run.seed).to(run.device)
        made = optimizers(model, config)
        average = Average(model, config.ema_decay) if config.ema_decay is not None else None
        self.tensors = Tensors(model, made, weights(model), average)
        self.step = Step(run, model, made)
        self.watch, self._display = Watch(self.step, model, self.tensors.series), Display(run, model)
        self._said: list[str] = []
        self.forensics = directory / "forensics"
        """What a run that had to stop leaves to be looked into."""
        self.checkpoints = Checkpoints(directory)
        self.curve = Journal(directory / "curve.jsonl")
        self.state = self.checkpoints.restore(self.tensors, self._curve_problem)
        self._resume()
        self._signals = Signals()
        self._start_clock()
        self._replay()

    def _resume(self) -> None:
        """What the state remembers of a step's own memory."""
        self.step.micro_batch_size = self.state.micro_batch_size or self.step.micro_batch_size
        if self.step.precision.scale is not None and self.state.loss_scale:
            self.step.precision.scale = LossScale(**self.state.loss_scale)
        if self.state.watch:
            self.watch.restore(self.state.watch)
        elif not self.state.step:
            self.watch.certify(0)
        if self.state.plateau:
            self.step.schedule.plateau = Plateau(**self.state.plateau)

    def _replay(self) -> None:
        """Tells the recorder what happened up to the checkpoint; what came after it will happen again."""
        kept = self._curve_until(self.state.step)
        self.curve.rewrite(kept)
        for record in kept:
            self.recorder.point(record["step"], record["values"], record["at"])

    def _curve_until(self, step: int) -> list[dict[str, Any]]:
        return [record for record in read(self.curve.path)[0] if record["step"] <= step]

    def _curve_problem(self, state: State) -> str:
        """What is wrong with the curve as the record of how a checkpoint came about, if anything is."""
        whole = functools.reduce(_chained, self._curve_until(state.step), 0) == state.curve
        return "" if whole else f"{self.curve.path} does not lead to it"

    def fit(self) -> State:
        """Trains to the horizon.

        Raises:
            Stopped: a signal came; a checkpoint was written first (exit 130 or 143).
            ReprolmError: the loss is not finite, or has risen for good (exit 72).
        """
        prune(self.forensics)
        try:
            return self._fit()
        except ReprolmError as error:
            if error.exit is Exit.DIVERGED:
                self.watch.look()
                forensics.write(self.watch, self.run, self.forensics, self._decode)
                problems = [replace(problem, see=str(self.forensics)) for problem in error.problems]
                raise ReprolmError(problems, error.exit) from error
            raise

    def _fit(self) -> State:
        tokens, state = self.step.tokens, self.state
        if state.step:
            print(f"train: resumes after step {state.step:,} of {self.step.total:,}", flush=True)
        bar = Progress("train", self.step.total * tokens, "tokens", done=state.step * tokens)
        with self._signals.heard(), bar as progress:
            while not self.ended:
                values = self._step()
                progress.advance(tokens, **self._display.shown(values, state.best_loss))
                while self._said:
                    progress.say(self._said.pop(0))
                if self._signals.stop is not None or self._due(self.run.train.checkpoint_every_steps):
                    self._save()
                if self._signals.stop is not None:
                    raise Stopped(self._signals.stop)
        return state

    @property
    def ended(self) -> bool:
        """Whether the horizon, the end of patience or the edge that a range test looks for is reached."""
        patience = self.run.train.patience_validations
        tired = patience is not None and self.state.validations_without_best >= patience
        return tired or self.state.step >= self.step.total or self._over_the_edge

    @property
    def _over_the_edge(self) -> bool:
        found = {event.type for event in self.watch.detector.events}
        return self.run.train.schedule == "range" and bool(found & set(FATAL))

    def _save(self) -> None:
        self._judge()
        if not self.watch.norms.finite():
            what, want = "NONFINITE: the weights are not finite", "a lower train.learning_rate"
            raise refuse(f"step {self.state.step}", what, want=want, exit=Exit.DIVERGED)
        self.curve.sync()
        self.state.watch = self.watch.remembered()
        self.state.micro_batch_size = self.step.micro_batch_size
        if self.step.precision.scale is not None:
            self.state.loss_scale = asdict(self.step.precision.scale)
        self.state.plateau = asdict(self.step.schedule.plateau)
        self.checkpoints.save(self.state, self.tensors)

    def _step(self) -> dict[str, float]:
        """One optimizer step, and the looks that are due after it."""
        self.watch.begin()
        losses = self.step.train_batch(self.state.step)
        norm = self.step.optim_step(self.state.step)
        self.state.step += 1
        if self.tensors.average is not None:
            self.tensors.average.update(self.state.step)
        self.watch.end(self.state.step, losses, norm)
        self._judge_if_due()
        values: dict[str, float] = {}
        rate = self._rate()
        if self._due(self.run.train.validate_every_steps) and not self._over_the_edge:
            values["validation/loss"] = self._validate()
            self._start_clock()
        if self._due(self.run.train.log_every_steps) or self.ended:
            self._start_clock()
            values |= {name: float(value) for name, value in losses.items() if name != "load"}
            values |= {"train/gradient_norm": float(norm), "train/tokens_per_second": rate}
            values |= self._display.utilisation(rate)
            values |= {"train/learning_rate": self.tensors.optimizers[0].param_groups[0]["lr"]}
        if values:
            self._record(values)
        if self.state.step in CERTIFIED or self.ended:
            self.watch.certify(self.state.step)
        return values

    def _due(self, every: int) -> bool:
        return self.state.step % every == 0 or self.state.step == self.step.total

    def _validate(self) -> float:
        """The loss of the weights, or of their average, of which the schedule hears."""
        average = self.tensors.average
        with average.in_place() if average is not None else nullcontext():
            loss = self._scored()
        self.step.schedule.validated(loss)
        return loss

    def _scored(self) -> float:
        """The loss over the whole validation split; keeps the weights if it is the best so far."""
        length = self.run.model.context_length
        batch = max(1, VALIDATION_BATCH_TOKENS // length)
        laid = self.run.train.windows
        loss = mean_loss(self.tensors.model, self.run.validation, window=length, batch_size=batch, laid=laid)
        if not math.isfinite(loss):
            raise refuse(
                f"step {self.state.step}", "the validation loss is not finite", got=loss, exit=Exit.DIVERGED
            )
        self.state.validations_without_best += 1
        if self.state.best_loss is None or loss < self.state.best_loss:
            self.state.validations_without_best = 0
            self.state.best_loss, self.state.best_step = loss, self.state.step
            self.tensors.best = {name: tensor.clone() for name, tensor in weights(self.tensors.model).items()}
        return loss

    def _judge_if_due(self) -> None:
        # on a GPU reading the numbers waits for it, so that they are read where some are kept or shown
        config = self.run.train
        looks = (config.log_every_steps, config.checkpoint_every_steps, config.validate_every_steps)
        if self.run.device.type == "cpu" or self._signals.stop is not None or any(map(self._due, looks)):
            self._judge()

    def _judge(self) -> None:
        """Tells new events, and ends the run at those that end it."""
        for event in self.watch.look():
            self._said.append(f"train: step {event.step:,}: {event.type}: {MEANING[event.type]}")
            fatal = event.type == "NONFINITE" or self.run.train.events.on_divergence == "stop"
            if event.type in FATAL and fatal and not self._over_the_edge:
                raise _stopped(event)

    def _start_clock(self) -> None:
        self._clock = (time.monotonic(), self.state.step)

    def _rate(self) -> float:
        """Tokens a second since the clock was started, after the last look; validation is not counted."""
        then, step = self._clock
        return (self.state.step - step) * self.step.tokens / max(time.monotonic() - then, 1e-9)

    def _record(self, values: dict[str, float]) -> None:
        # where a range test ends there may be no number
        values = {name: value for name, value in values.items() if math.isfinite(value)}
        at = time.time()
        record = {"step": self.state.step, "at": at, "values": values}
        self.curve.append(record)
        self.state.curve = _chained(self.state.curve, record)
        self.recorder.point(self.state.step, values, at)
