"""The training loop: a step is a function of the seed, its number and the weights before it."""

import math
import time
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

from reprolm.device import slow_precision
from reprolm.diagnose.digests import STEPS as CERTIFIED
from reprolm.diagnose.events import FATAL, MEANING, Event, meaning
from reprolm.distributed.sharding import rest, shard
from reprolm.errors import Exit, ReprolmError, Stopped, refuse
from reprolm.evaluate.loss import Cut, summed_loss
from reprolm.model.initialise import initialise
from reprolm.model.storage import weights
from reprolm.model.transformer import Transformer
from reprolm.optim.average import Average
from reprolm.optim.groups import optimizers
from reprolm.optim.schedule import Plateau
from reprolm.progress import Progress
from reprolm.store import prune
from reprolm.train import curve, forensics
from reprolm.train.checkpoint import Checkpoints, State, Tensors
from reprolm.train.display import Display
from reprolm.train.precision import LossScale
from reprolm.train.run import Run
from reprolm.train.signals import Signals
from reprolm.train.step import Step
from reprolm.train.watch import Watch

VALIDATION_BATCH_TOKENS = 8192
ENTROPY = "validation/attention_entropy"


def _stopped(event: Event) -> ReprolmError:
    numbers = {"loss": event.loss, "gradient norm": event.gradient_norm, "learning rate": event.learning_rate}
    got = ", ".join(f"{k} {'not finite' if v is None else f'{v:.4g}'}" for k, v in numbers.items())
    want = "a lower train.learning_rate or a longer warm-up"
    what = f"{event.type}: {MEANING[event.type][0]}"
    return refuse(f"step {event.step}", what, got=got, want=want, exit=Exit.DIVERGED)


class Trainer:
    """One training run, resumed from its newest checkpoint if it has one.

    The directory holds the checkpoints; `decode` makes tokens readable where it had to stop.
    """

    def __init__(
        self, run: Run, directory: Path, recorder: curve.Recorder, decode: forensics.Decode = str
    ) -> None:
        self.run, self._decode = run, decode
        config, world = run.train, run.world
        if config.windows != "padded":
            run.validation.require(run.model.context_length)
        model = initialise(Transformer(run.model, run.training.vocab_size), run.seed).to(run.device)
        if world.size > 1 and config.sharding == "fsdp":
            shard(model, model.blocks, world, run.device)
        made = optimizers(model, config)
        average = Average(model, config.ema_decay) if config.ema_decay is not None else None
        first = weights(model) if config.schedule == "range" else {}
        best = {name: tensor.clone() for name, tensor in first.items()}
        self.tensors = Tensors(model, made, best, average)
        self.step = Step(run, model, made)
        self.watch, self._display = Watch(self.step, model, self.tensors.series), Display(run, model)
        self._said: list[str] = []
        self.forensics = directory / forensics.FOLDER
        """What a run that had to stop leaves to be looked into."""
        self.checkpoints = Checkpoints(directory, world)
        self.recorder = recorder
        self.state = self.checkpoints.restore(self.tensors)
        self._resume()
        self._signals = Signals()
        self._start_clock()

    def _resume(self) -> None:
        """What the state remembers of a step's own memory."""
        if self.state.micro_batch_size is not None:
            self.step.halve(self.state.micro_batch_size)
        if self.step.precision.scale is not None and self.state.loss_scale:
            self.step.precision.scale = LossScale(**self.state.loss_scale)
        if self.state.watch:
            self.watch.restore(self.state.watch)
        elif not self.state.step:
            self.watch.certify(0)
        if self.state.plateau:
            self.step.schedule.plateau = Plateau(**self.state.plateau)

    def fit(self) -> State:
        """Trains to the horizon.

        Raises:
            Stopped: a signal came; a checkpoint was written first (exit 130 or 143).
            ReprolmError: the loss is not finite, or has risen for good (exit 72).
        """
        if self.run.world.leads:
            prune(self.forensics)
            curve.replay(self.state, self.recorder)
        try:
            return self._fit()
        except ReprolmError as error:
            if error.exit is Exit.DIVERGED and self.run.world.leads:
                self.watch.look()
                forensics.write(self.watch, self.checkpoints, self.forensics, self._decode)
                problems = [replace(problem, see=str(self.forensics)) for problem in error.problems]
                raise ReprolmError(problems, error.exit) from error
            raise

    def _fit(self) -> State:
        tokens, state = self.step.tokens, self.state
        if state.step and self.run.world.leads:
            print(f"train: resumes after step {state.step:,} of {self.step.total:,}", flush=True)
        if self.run.world.leads and (slow := slow_precision(self.run.train.precision, self.run.device)):
            print(f"train: {slow}", flush=True)
        whole = self.step.total * tokens
        bar = Progress("train", whole, "tokens", done=state.step * tokens, shown=self.run.world.leads)
        with self._signals.heard(), bar as progress:
            while not self.ended:
                values = self._step()
                progress.advance(tokens, **self._display.shown(values, state.best_loss))
                while self._said:
                    progress.say(self._said.pop(0))
                stop = self._asked_to_stop()
                if self._over_the_edge:
                    break  # what a range test was to find; its weights are worth no checkpoint
                if stop or self._due(self.run.train.checkpoint_every_steps):
                    self._save()
                    progress.advance(0, checkpoint=f"step={state.step} durable")
                    stop = self._asked_to_stop()
                if stop:
                    progress.say(
                        f"train: stopped after step {state.step:,}; the same command goes on from there"
                    )
                    raise Stopped(Exit(stop))
        self.tensors.last = weights(self.tensors.model)
        return state

    def _asked_to_stop(self) -> int:
        """The exit code with which to stop now, 0 if not: one process that was asked stops all."""
        return self.run.world.largest(self._signals.stop or 0)

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
        self.state.watch = self.watch.remembered()
        self.state.micro_batch_size = self.step.halved
        if self.step.precision.scale is not None:
            self.state.loss_scale = asdict(self.step.precision.scale)
        self.state.plateau = asdict(self.step.schedule.plateau)
        self.checkpoints.save(self.state, self.tensors, self.watch.detector.sound_until(self.state.step))

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
            values |= self._validate()
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

    def _validate(self) -> dict[str, float]:
        """The loss of the weights, or their average, and how widely they look; the schedule hears of it."""
        average = self.tensors.average
        with average.in_place() if average is not None else nullcontext():
            loss = self._scored()
            entropy = self.watch.look_at_attention()
            rest(self.tensors.model)
        self.step.schedule.validated(loss)
        self._judge()
        return {"validation/loss": loss} | ({ENTROPY: entropy} if entropy is not None else {})

    def _scored(self) -> float:
        """The loss over the whole validation split; keeps the weights if it is the best so far."""
        length = self.run.model.context_length
        batch = max(1, VALIDATION_BATCH_TOKENS // length)
        laid = self.run.train.windows
        cut, world = Cut(self.run.validation, length, length, batch, laid), self.run.world
        total, count = world.added(*summed_loss(self.tensors.model, cut, rank=world.rank, size=world.size))
        rest(self.tensors.model)
        loss = total / count
        if not math.isfinite(loss):
            raise refuse(
                f"step {self.state.step}", "the validation loss is not finite", got=loss, exit=Exit.DIVERGED
            )
        self.state.validations_without_best += 1
        if self.state.best_loss is None or loss < self.state.best_loss:
            self.state.validations_without_best = 0
            self.state.best_loss, self.state.best_step = loss, self.state.step
            best = weights(self.tensors.model)
            self.tensors.best = {name: t.clone() for name, t in best.items()} if world.leads else {}
        return loss

    def _judge_if_due(self) -> None:
        # on a GPU reading the numbers waits for it, so that they are read where some are kept or shown
        config = self.run.train
        looks = (config.log_every_steps, config.checkpoint_every_steps, config.validate_every_steps)
        if self.run.device.type == "cpu" or any(map(self._due, looks)):
            self._judge()

    def _judge(self) -> None:
        """Tells new events, and ends the run at those that end it."""
        for event in self.watch.look():
            self._said.append(f"train: step {event.step:,}: {event.type}: {meaning(event.type)}")
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
        if self.run.world.leads:
            finite = {name: value for name, value in values.items() if math.isfinite(value)}
            curve.add(self.state, finite, self.recorder)
