"""Section `train`: the optimizer, the schedule, the horizon, and how often to look."""

from typing import Literal

from pydantic import Field

from reprolm.config import Config, rule
from reprolm.errors import Problem
from reprolm.optim.config import AdamConfig, MuonConfig


class TrainConfig(Config):
    """How the model is trained."""

    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    optimizer: Literal["adamw", "muon"]
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    max_grad_norm: float | None = Field(gt=0)
    adam: AdamConfig
    muon: MuonConfig
    schedule: Literal["cosine", "linear", "constant"]
    warmup_steps: int = Field(ge=0)
    final_learning_rate_share: float = Field(ge=0, le=1)
    precision: Literal["float32"]
    validate_every_steps: int = Field(ge=1)
    log_every_steps: int = Field(ge=1)
    checkpoint_every_steps: int = Field(ge=1)

    @rule
    def warmup_ends(self) -> Problem | None:
        """The warm-up is a part of the run."""
        if self.warmup_steps < self.steps:
            return None
        return Problem("warmup_steps", f"is not below train.steps = {self.steps}", self.warmup_steps,
                       f"at most {self.steps - 1}")  # fmt: skip
