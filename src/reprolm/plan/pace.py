"""How fast training will go here: real steps of the real model, or of a smaller one where those take long."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from reprolm.model.config import ModelConfig
from reprolm.model.count import flops_per_token, parameters
from reprolm.model.transformer import Transformer
from reprolm.plan.rehearsal import rehearsal, validate
from reprolm.train.config import TrainConfig
from reprolm.train.loop import VALIDATION_BATCH_TOKENS
from reprolm.train.precision import TYPES
from reprolm.train.step import Step

LONGEST_STEP_SECONDS = 1.0
MEASURED_SECONDS = 1.0
SIDE, PRODUCTS = 384, 10
LEAST_TOKENS = 128


@dataclass(frozen=True)
class Size:
    """A model and a batch of a vocabulary, by what their time hangs on."""

    model: ModelConfig
    train: TrainConfig
    vocab_size: int

    @property
    def tokens(self) -> int:
        """Tokens a step."""
        return self.train.batch_size * self.model.context_length

    @property
    def part(self) -> "Size":
        """What one of the processes takes of a batch."""
        train = self.train
        rows = train.batch_size // train.processes
        fewer = None if train.micro_batch_size is None else math.gcd(train.micro_batch_size, rows)
        update = {"batch_size": rows, "micro_batch_size": fewer, "processes": 1}
        return Size(self.model, train.model_copy(update=update), self.vocab_size)

    def counted(self) -> tuple[int, int]:
        """Parameters, and operations a token in training."""
        with torch.device("meta"):
            model = Transformer(self.model, self.vocab_size)
        return parameters(model)["total"], flops_per_token(model)

    def smaller(self) -> "Size | None":
        """Half the batch; or half the layers; or half the context; None where nothing is left to halve."""
        model, train = self.model, self.train
        if train.batch_size > 1:
            part = train.batch_size // 2
            fewer = min(part, train.micro_batch_size or part)
            whole = part - part % fewer
            update = {"batch_size": whole, "micro_batch_size": fewer}
            return Size(model, train.model_copy(update=update), self.vocab_size)
        if model.n_layers > 1:
            less = {"n_layers": model.n_layers // 2}
        elif model.context_length > LEAST_TOKENS:
            less = {"context_length": model.context_length // 2}
        else:
            return None
        return Size(model.model_copy(update=less), train, self.vocab_size)


@dataclass(frozen=True)
class Pace:
    """Seconds of a step, and of a token in validation; `basis` says what was measured."""

    step_seconds: float
    validation_token_seconds: float
    basis: str


def pace(asked: Size, device: torch.device, *, threads: int = 1) -> Pace:
    """Measured in a few seconds, of which nothing is kept.

    Where a step would take long, a smaller batch, and then a smaller model of the same width is measured:
    forward and backward are scaled by their operations, the optimizers by the parameters that they move.
    """
    rate = _products_per_second(device, TYPES[asked.train.precision])
    size: Size | None = asked
    chosen, operations = asked, 0.0
    while size is not None:
        chosen, operations = size, size.counted()[1] * size.tokens
        # training reaches about half of what plain products do
        if 2 * operations / rate <= LONGEST_STEP_SECONDS:
            break
        size = size.smaller()
    step = rehearsal(chosen.model, chosen.train, chosen.vocab_size, device, threads=threads)
    batch, optimizers = _timed(step)
    validation = _validation(step)
    parameters_here, flops_here = chosen.counted()
    parameters_asked, flops_asked = asked.counted()
    per_operation = flops_asked / flops_here
    scaled = batch * per_operation * asked.tokens / chosen.tokens
    return Pace(
        step_seconds=scaled + optimizers * parameters_asked / parameters_here,
        validation_token_seconds=validation * per_operation,
        basis=_basis(asked, chosen),
    )


def _basis(asked: Size, chosen: Size) -> str:
    if chosen == asked:
        return "measured"
    parts = [
        f"{name} {here:,} of {there:,}"
        for name, here, there in (
            ("sequences", chosen.train.batch_size, asked.train.batch_size),
            ("layers", chosen.model.n_layers, asked.model.n_layers),
            ("context", chosen.model.context_length, asked.model.context_length),
        )
        if here != there
    ]
    return f"scaled from {', '.join(parts)}"


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _seconds(function: Callable[[], object], device: torch.device) -> float:
    _wait(device)
    began = time.perf_counter()
    function()
    _wait(device)
    return time.perf_counter() - began


def _products_per_second(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of plain matrix products, the best of some."""
    matrix = torch.ones(SIDE, SIDE, device=device, dtype=dtype)
    return 2 * SIDE**3 / min(_seconds(lambda: matrix @ matrix, device) for _ in range(PRODUCTS))


def _timed(step: Step) -> tuple[float, float]:
    """The median seconds of forward and backward, and of the optimizers; the first step is left out."""
    batches: list[float] = []
    optimizers: list[float] = []
    began = time.perf_counter()
    while len(batches) < 2 or time.perf_counter() - began < MEASURED_SECONDS:
        index = len(batches)
        batches.append(_seconds(lambda: step.train_batch(index), step.run.device))  # noqa: B023
        optimizers.append(_seconds(lambda: step.optim_step(index), step.run.device))  # noqa: B023
    return statistics.median(batches[1:]), statistics.median(optimizers[1:])


def _validation(step: Step) -> float:
    """The seconds of a token in validation, the better of two batches."""
    most = min(VALIDATION_BATCH_TOKENS, 4 * step.tokens)
    best = min(_seconds(lambda: validate(step, most), step.run.device) for _ in range(2))
    length = step.run.model.context_length
    return best / (max(1, most // length) * length)
