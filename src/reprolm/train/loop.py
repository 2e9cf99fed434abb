"""The training loop: a step is a function of the seed, its number and the weights before it."""

import functools
import math
import signal
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch.nn.functional import cross_entropy

from reprolm.data.batches import Batches
from reprolm.data.shards import Tokens
from reprolm.errors import Exit, Stopped, refuse
from reprolm.evaluate.loss import mean_loss
from reprolm.journal import Journal, read
from reprolm.model.config import ModelConfig
from reprolm.model.context import Trace
from reprolm.model.initialise import initialise
from reprolm.model.storage import weights
from reprolm.model.transformer import Transformer
from reprolm.optim.groups import optimizers, set_share
from reprolm.optim.schedule import share
from reprolm.progress import Progress
from reprolm.seeds import stream
from reprolm.store import canonical
from reprolm.train.checkpoint import Checkpoints, State, Tensors
from reprolm.train.config import TrainConfig

VALIDATION_BATCH_TOKENS = 8192


class Recorder(Protocol):
    """Takes the points of the curves; training does not know who listens."""

    def point(self, step: int, values: Mapping[str, float], at: float) -> None:
        """Numbers that hold after `step` steps, at a time in seconds since 1970."""


@dataclass(frozen=True)
class Run:
    """What is trained, and on what."""

    model: ModelConfig
    train: TrainConfig
    seed: int
    training: Tokens
    validation: Tokens
    device: torch.device


def _chained(sum_before: int, record: dict[str, Any]) -> int:
    """A checksum of all records up to one."""
    return zlib.crc32(canonical(record).encode(), sum_before)


class Trainer:
    """One training run, resumed from its newest checkpoint if it has one.

    The directory holds the checkpoints and `curve.jsonl`, the journal of every point so far.
    """

    def __init__(self, run: Run, directory: Path, recorder: Recorder) -> None:
        self.run, self.recorder = run, recorder
        config = run.train
        run.validation.require(run.model.context_length)
        model = initialise(Transformer(run.model, run.training.vocab_size), run.seed).to(run.device)
        rates = (config.learning_rate, config.weight_decay)
        made = optimizers(model, config.optimizer, rates, config.adam, config.muon)
        self.tensors = Tensors(model, made, weights(model))
        self.checkpoints = Checkpoints(directory)
        self.curve = Journal(directory / "curve.jsonl")
        self.state = self.checkpoints.restore(self.tensors, self._curve_problem)
        self.batches = Batches(run.training, config.batch_size, run.model.context_length, run.seed)
        self.step_tokens = config.batch_size * run.model.context_length
        self._stop: Exit | None = None
        self._clock = (time.monotonic(), self.state.step)
        self._replay()

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
            ReprolmError: the loss is not finite (exit 72).
        """
        config, total = self.run.train, self.run.train.steps * self.step_tokens
        done = self.state.step * self.step_tokens
        if self.state.step:
            print(f"train: resumes after step {self.state.step:,} of {config.steps:,}", flush=True)
        with self._signals(), Progress("train", total, "tokens", done=done) as progress:
            while self.state.step < config.steps:
                values = self._step()
                progress.advance(self.step_tokens, **self._shown(values))
                if self._stop is not None or self._due(config.checkpoint_every_steps):
                    self.curve.sync()
                    self.checkpoints.save(self.state, self.tensors)
                if self._stop is not None:
                    raise Stopped(self._stop)
        return self.state

    def _step(self) -> dict[str, float]:
        """One optimizer step, and the looks that are due after it."""
        losses = self.train_batch(self.state.step)
        norm = self.optim_step(self.state.step)
        self.state.step += 1
        self._refuse_non_finite(losses["train/loss"], norm)
        values: dict[str, float] = {}
        if self._due(self.run.train.log_every_steps):
            values |= {name: float(value) for name, value in losses.items()}
            values |= {"train/gradient_norm": float(norm)}
            values |= {"train/learning_rate": self.tensors.optimizers[0].param_groups[0]["lr"]}
            values |= {"train/tokens_per_second": self._rate()}
        if self._due(self.run.train.validate_every_steps):
            values["validation/loss"] = self._validate()
        if values:
            self._record(values)
        return values

    def train_batch(self, step: int) -> dict[str, torch.Tensor]:
        """Forward and backward over the batch of a step; the loss is the mean over its tokens, in nats.

        The experts of a mixture are kept busy by their balance loss; it is told beside the loss, not in it.
        """
        inputs, targets = (torch.from_numpy(part).to(self.run.device) for part in self.batches.at(step))
        torch.manual_seed(stream(self.run.seed, "dropout", step))
        trace = Trace()
        logits = self.tensors.model.train()(inputs, trace=trace)
        objective = loss = cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        told = {"train/loss": loss.detach()}
        if trace.routing:
            objective = loss + self.run.model.moe.balance_coefficient * trace.balance
            told |= {"train/balance_loss": trace.balance.detach()}
            told |= {"train/heaviest_load": trace.heaviest_load}
        objective.backward()  # type: ignore[no-untyped-call]
        return told

    def optim_step(self, step: int) -> torch.Tensor:
        """Clips and applies the gradients; returns their norm before clipping."""
        config = self.run.train
        limit = config.max_grad_norm if config.max_grad_norm is not None else math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.tensors.model.parameters(), limit)
        factor = share(
            config.schedule, step, warmup_steps=config.warmup_steps, steps=config.steps,
            final=config.final_learning_rate_share,
        )  # fmt: skip
        set_share(self.tensors.optimizers, factor)
        for optimizer in self.tensors.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return norm

    def _due(self, every: int) -> bool:
        return self.state.step % every == 0 or self.state.step == self.run.train.steps

    def _validate(self) -> float:
        """The loss over the whole validation split; keeps the weights if it is the best so far."""
        length = self.run.model.context_length
        batch = max(1, VALIDATION_BATCH_TOKENS // length)
        loss = mean_loss(self.tensors.model, self.run.validation, window=length, batch_size=batch)
        if not math.isfinite(loss):
            raise refuse(
                f"step {self.state.step}", "the validation loss is not finite", got=loss, exit=Exit.DIVERGED
            )
        if self.state.best_loss is None or loss < self.state.best_loss:
            self.state.best_loss, self.state.best_step = loss, self.state.step
            self.tensors.best = {name: tensor.clone() for name, tensor in weights(self.tensors.model).items()}
        return loss

    def _refuse_non_finite(self, loss: torch.Tensor, norm: torch.Tensor) -> None:
        # on a GPU reading the numbers waits for it, so that only steps that are kept or shown are looked at
        config = self.run.train
        looks = (config.log_every_steps, config.checkpoint_every_steps, config.validate_every_steps)
        if self.run.device.type != "cpu" and self._stop is None and not any(map(self._due, looks)):
            return
        if not (math.isfinite(loss) and math.isfinite(norm)):
            rate = self.tensors.optimizers[0].param_groups[0]["lr"]
            got = f"loss {float(loss)}, gradient norm {float(norm)}, learning rate {rate:.3g}"
            where, want = f"step {self.state.step}", "a lower train.learning_rate or a longer warm-up"
            raise refuse(
                where, "the loss or its gradient is not finite", got=got, want=want, exit=Exit.DIVERGED
            )

    def _rate(self) -> float:
        """Tokens a second since the last look."""
        then, step = self._clock
        self._clock = (time.monotonic(), self.state.step)
        return (self.state.step - step) * self.step_tokens / max(self._clock[0] - then, 1e-9)

    def _record(self, values: dict[str, float]) -> None:
        at = time.time()
        record = {"step": self.state.step, "at": at, "values": values}
        self.curve.append(record)
        self.state.curve = _chained(self.state.curve, record)
        self.recorder.point(self.state.step, values, at)

    def _shown(self, values: dict[str, float]) -> dict[str, float]:
        shown = {"loss": values["train/loss"]} if "train/loss" in values else {}
        return shown | ({"best": self.state.best_loss} if self.state.best_loss is not None else {})

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and Ctrl-C end the run after the step, with a checkpoint; a second one ends it at once."""

        def handle(number: int, frame: FrameType | None) -> Any:  # noqa: ARG001
            if self._stop is not None:
                raise Stopped(self._stop)
            self._stop = Exit(128 + number)

        before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
