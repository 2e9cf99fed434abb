"""A step of training: forward and backward over a batch, then the optimizers."""

import math
import sys
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from reprolm.config import divisors
from reprolm.data.batches import Batch, Batches
from reprolm.data.shards import Array
from reprolm.errors import Exit, ReprolmError, out_of_memory, refuse
from reprolm.model.context import Trace
from reprolm.model.transformer import Transformer
from reprolm.optim.clip import clip
from reprolm.optim.groups import set_share
from reprolm.optim.loss import Head, summed_nats
from reprolm.optim.schedule import Schedule
from reprolm.seeds import stream
from reprolm.threads import SideBySide
from reprolm.train.precision import Precision
from reprolm.train.run import Run

NOTHING_FITS = "a smaller model, or train.activation_checkpointing: true"
"""What to do where there is no memory for one sequence."""


def too_large(sequences: int, want: str = NOTHING_FITS) -> ReprolmError:
    """The error of a part of a batch for which memory does not suffice."""
    what, got = "needs more memory than there is", f"{sequences} sequences at once"
    return refuse("train.micro_batch_size", what, got=got, want=want, exit=Exit.MEMORY)


class Step:
    """`train_batch` and `optim_step`: together a function of the seed, the step's number and the weights."""

    def __init__(self, run: Run, model: Transformer, optimizers: list[torch.optim.Optimizer]) -> None:
        self.run, self.model, self.optimizers = run, model, optimizers
        # to walk through all modules for them takes a hundredth of a small model's step
        self._weights = list(model.parameters())
        self._sharded = run.world.size > 1 and run.train.sharding == "fsdp"
        model.recompute = run.train.activation_checkpointing
        self._nats = self._nats_in_chunks if run.train.loss == "chunked" else self._nats_of_torch
        computed = model.hidden if run.train.loss == "chunked" else model
        self._computed = torch.compile(computed) if run.train.compile else computed
        self.batches = Batches(
            run.training, run.train.batch_size, run.model.context_length, run.seed,
            laid=run.train.windows, sampling=run.train.sampling,
        )  # fmt: skip
        self.tokens = run.train.batch_size * run.model.context_length
        self.total = run.train.total_steps(self.tokens, self.batches.windows / run.train.batch_size)
        self.rows = run.world.rows(run.train.batch_size)
        """What this process takes of each batch."""
        # a divisor of both: where a size is asked for, parts are the same for any number of processes
        asked = run.train.micro_batch_size or run.train.batch_size
        self.micro_batch_size = math.gcd(asked, len(self.rows))
        self.threads = SideBySide(shares(run, self.micro_batch_size))
        self.halved: int | None = None
        """The size of parts to which memory has forced, if it has."""
        self.schedule = Schedule(run.train, self.total)
        self.precision = Precision(run.train.precision, run.device)
        self.norms = torch.zeros(0)
        """Of the gradient of each parameter, before clipping; `optim_step` sets it."""

    @property
    def forced(self) -> dict[str, int]:
        """Sequences at once to which too little memory has forced, if it has: `halved_to`."""
        return {"halved_to": self.halved} if self.halved else {}

    @property
    def shape(self) -> dict[str, int]:
        """How a batch is divided."""
        return {"processes": self.run.world.size, "micro_batch_size": self.micro_batch_size} | self.forced

    def train_batch(self, step: int) -> dict[str, Tensor]:
        """Forward and backward over the batch of a step; the loss is the mean over its tokens, in nats.

        The experts of a mixture are kept busy by their balance loss; it is told beside the loss, not in it,
        as is the `load` of each expert by layer.

        Raises:
            ReprolmError: memory does not suffice, and smaller parts are not allowed or possible (exit 71).
        """
        while True:
            try:
                told = self._accumulated(step)
                break
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self._go_on_smaller(error)
        gradients = [weight.grad for weight in self._weights if weight.grad is not None]
        # FSDP sums gradients while they are made
        self.run.world.add([*told.values(), *(() if self._sharded else gradients)])
        return told

    def _accumulated(self, step: int) -> dict[str, Tensor]:
        batch = self.batches.rows(step, self.rows.start, self.rows.stop)
        if not self.model.training:
            self.model.train()
        parts: list[dict[str, Tensor]] = []
        firsts = range(0, len(self.rows), self.micro_batch_size)
        for index, first in enumerate(firsts, self.run.world.rank * len(firsts)):
            # nothing else is left to chance here, and a seed costs a third of a ms
            if self.run.model.dropout:
                torch.manual_seed(stream(self.run.seed, "dropout", step, index))
            parts.append(self._part(batch, range(len(self.rows))[first : first + self.micro_batch_size]))
        return _summed(parts)

    def _part(self, batch: Batch, rows: range) -> dict[str, Tensor]:
        """Adds the gradient of some rows."""
        if self.threads.count == 1:
            objective, told = self._objective(batch, rows)
            objective.backward()  # type: ignore[no-untyped-call]
            return told
        size = -(-len(rows) // self.threads.count)
        shares = [rows[first : first + size] for first in range(0, len(rows), size)]

        def gradient(share: range) -> tuple[Sequence[Tensor | None], dict[str, Tensor]]:
            objective, told = self._objective(batch, share)
            return torch.autograd.grad(objective, self._weights, allow_unused=True), told

        found = self.threads.map(gradient, shares)
        # in the order of the shares, not in that in which they end: so sums have the same bits
        for gradients, _ in found:
            self._add(gradients)
        return _summed([told for _, told in found])

    def _add(self, gradients: Sequence[Tensor | None]) -> None:
        """Adds to the gradient of each weight; those of the first share become it."""
        own: list[Tensor] = []
        more: list[Tensor] = []
        for weight, part in zip(self._weights, gradients, strict=True):
            if part is None:
                continue
            if weight.grad is None:
                weight.grad = part
            else:
                own.append(weight.grad)
                more.append(part)
        if own:
            torch._foreach_add_(own, more)

    def _objective(self, batch: Batch, chosen: range) -> tuple[Tensor, dict[str, Tensor]]:
        """What some rows are to make small: their losses' sum, divided by the targets of the whole step."""
        rows = slice(chosen.start, chosen.stop)
        inputs, targets = self._on_device(batch.inputs[rows]), self._on_device(batch.targets[rows])
        documents = None if batch.documents is None else self._on_device(batch.documents[rows])
        trace = Trace()
        with self.precision.computing():
            nats = self._nats(self._computed(inputs, documents=documents, trace=trace), targets)
        objective = loss = nats / batch.counted
        told = {"train/loss": loss.detach()}
        if trace.routing:
            part = len(inputs) / self.batches.batch_size
            objective = loss + self.run.model.moe.balance_coefficient * part * trace.balance
            told |= {"train/balance_loss": part * trace.balance.detach()}
            told |= {"train/heaviest_load": part * trace.heaviest_load, "load": part * trace.load}
        return self.precision.scaled(objective), told

    def _nats_of_torch(self, logits: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="sum")

    def _nats_in_chunks(self, hidden: Tensor, targets: Tensor) -> Tensor:
        layer = self.model.head
        head = Head(layer.weight, layer.bias, self.model.config.logit_soft_cap)
        return summed_nats(hidden.flatten(0, 1), head, targets.flatten())[0]

    def _on_device(self, part: Array) -> Tensor:
        return torch.from_numpy(part).to(self.run.device)

    def optim_step(self, step: int) -> Tensor:
        """Clips and applies the gradients; returns their norm before clipping."""
        config, scale = self.run.train, self.precision.scale
        if scale is not None:
            scale.unscale(self._weights)
        limit = config.max_grad_norm if config.max_grad_norm is not None else math.inf
        norm, self.norms = clip(self._weights, limit)
        set_share(self.optimizers, self.schedule.share(step))
        overflowed = scale is not None and not math.isfinite(norm)
        for optimizer in self.optimizers:
            if not overflowed:
                optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if scale is not None:
            scale.update(overflowed=overflowed)
        return norm

    def halve(self, size: int) -> None:
        """Computes at most so many sequences at once from now on."""
        self.micro_batch_size = self.halved = min(size, self.micro_batch_size)
        if (count := shares(self.run, self.micro_batch_size)) != self.threads.count:
            self.threads.close()
            self.threads = SideBySide(count)

    def _go_on_smaller(self, error: Exception) -> None:
        """Goes on with parts of at most half the size.

        Raises:
            ReprolmError: that is not wanted, or a part is a single sequence already (exit 71).
        """
        # the largest that may be asked for: one that divides the batch
        half = self.micro_batch_size // 2
        smaller = max((size for size in divisors(self.run.train.batch_size) if size <= half), default=0)
        if self.run.train.on_out_of_memory == "stop" or not smaller:
            want = f"{smaller}, or train.on_out_of_memory: halve" if smaller else NOTHING_FITS
            raise too_large(self.micro_batch_size, want) from error
        print(f"train: out of memory; goes on with {smaller} sequences at once", file=sys.stderr)
        self.halve(smaller)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        if self.run.device.type == "cuda":
            torch.cuda.empty_cache()


def shares(run: Run, micro_batch_size: int) -> int:
    """In how many shares a part of a batch is computed side by side, on as many threads of a CPU."""
    # what is drawn by chance, and the load of the experts, belong to a part as a whole
    whole = run.model.dropout or run.model.feedforward == "moe" or run.train.compile
    if whole or run.device.type != "cpu" or (run.world.size > 1 and run.train.sharding == "fsdp"):
        return 1
    return math.gcd(run.threads, micro_batch_size)


def _summed(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """By name."""
    told = dict(parts[0])
    for part in parts[1:]:
        told = {name: value + part[name] for name, value in told.items()}
    return told
