"""Runs for what is measured here: of a file of parameters, with changes, told to nobody."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from reprolm.config import read_params, section
from reprolm.data.shards import Tokens
from reprolm.model.config import ModelConfig
from reprolm.train.config import TrainConfig
from reprolm.train.loop import Trainer
from reprolm.train.run import Run

ROOT = Path(__file__).parents[1]
TOKENS = ROOT / "data" / "tokens"


class Nobody:
    """A recorder that does not listen."""

    def point(self, step: int, values: Mapping[str, float], at: float) -> None:
        """Does nothing."""


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with changes at any depth."""
    deeper = {
        name: merged(values[name], change) if isinstance(change, Mapping) else change
        for name, change in changes.items()
    }
    return {**values, **deeper}


def parameters(file: str = "params.yaml", **changes: Any) -> dict[str, Any]:
    """Those of a file in this repository, with changes of its sections."""
    return merged(read_params(ROOT / file), changes)


def run(
    params: Mapping[str, Any], on: torch.device, *, tokens: Path = TOKENS, seed: int = 1, **others: Any
) -> Run:
    """A run of the parameters; `others` are further fields of it."""
    model, train = section(params, "model", ModelConfig), section(params, "train", TrainConfig)
    training, validation = (Tokens(tokens, split) for split in ("train", "validation"))
    # those that `device` was asked for: a batch is divided into no more shares
    others = {"threads": torch.get_num_threads()} | others
    return Run(model, train, seed, training, validation, on, **others)


def timed(trainer: Trainer, steps: Iterable[int]) -> tuple[list[float], float]:
    """Makes steps; the milliseconds that each took, and the last loss."""
    took, loss = [], 0.0
    for step in steps:
        began = time.perf_counter()
        loss = float(trainer.step.train_batch(step)["train/loss"])
        trainer.step.optim_step(step)
        took.append(1000 * (time.perf_counter() - began))
    return took, loss
