"""What is trained, and on what."""

from dataclasses import dataclass

import torch

from reprolm.data.shards import Tokens
from reprolm.distributed.world import ALONE, World
from reprolm.model.config import ModelConfig
from reprolm.train.config import TrainConfig


@dataclass(frozen=True)
class Run:
    """Everything that decides what a training run computes."""

    model: ModelConfig
    train: TrainConfig
    seed: int
    training: Tokens
    validation: Tokens
    device: torch.device
    world: World = ALONE
    """The processes that train together."""
    threads: int = 1
    """Of a CPU, in this process; where possible each takes its share of a batch."""
