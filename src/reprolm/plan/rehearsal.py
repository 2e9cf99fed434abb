"""A training step as it will be, on tokens that are not there."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from reprolm.data.shards import Array, Tokens
from reprolm.model.config import ModelConfig
from reprolm.model.transformer import Transformer
from reprolm.optim.groups import optimizers
from reprolm.train.config import TrainConfig
from reprolm.train.run import Run
from reprolm.train.step import Step


class Imagined(Tokens):
    """So many tokens of a vocabulary in one document, drawn anew each time they are read."""

    def __init__(self, vocab_size: int, count: int) -> None:
        self.split, self.vocab_size, self._count = "imagined", vocab_size, count
        self.document_offsets = np.array([0, count], dtype=np.int64)

    def __len__(self) -> int:
        return self._count

    def windows(self, starts: Array, length: int) -> Array:
        """Rows of random tokens."""
        return np.random.default_rng(0).integers(self.vocab_size, size=(len(starts), length))


def rehearsal(
    model: ModelConfig, train: TrainConfig, vocab_size: int, device: torch.device, *, threads: int = 1
) -> Step:
    """What trains: the same model, optimizers and batches; never compiled, which takes longer than it tells.

    Weights are what torch gives: neither memory nor time hangs on them.
    """
    steps = {
        "horizon": "steps",
        "steps": max(train.steps, train.warmup_steps + 1),
        "on_out_of_memory": "stop",
    }
    config = train.model_copy(update=steps | {"compile": False})
    tokens = Imagined(vocab_size, 1 + train.batch_size * model.context_length)
    with device:
        weights = Transformer(model, vocab_size)
    run = Run(model, config, 0, tokens, tokens, device, threads=threads)
    return Step(run, weights, optimizers(weights, config))


@torch.no_grad()
def validate(step: Step, tokens: int) -> None:
    """The forward pass of a part of the validation split of at most so many tokens."""
    length, device = step.run.model.context_length, step.run.device
    read = torch.randint(step.model.vocab_size, (max(1, tokens // length), length)).to(device)
    documents = torch.ones_like(read) if step.run.train.windows == "isolated" else None
    logits = step.model.eval()(read, documents=documents)
    cross_entropy(logits.float().flatten(0, 1), read.flatten(), reduction="none")
