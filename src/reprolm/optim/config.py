"""What section `train` says of the loss, the optimizers and the learning rate."""

from typing import Literal

from pydantic import Field

from reprolm.config import Config, rule
from reprolm.errors import Problem

ADAMS = ("adamw", "adamw_scratch", "adam", "muon")
"""The optimizers that read `train.adam`."""


class AdamConfig(Config):
    """Moments of Adam and its kin; under `train.optimizer: muon` of AdamW beside it."""

    beta1: float = Field(ge=0, lt=1)
    beta2: float = Field(ge=0, lt=1)
    epsilon: float = Field(gt=0)
    amsgrad: bool


class SgdConfig(Config):
    """Options of `train.optimizer: sgd`."""

    momentum: float = Field(ge=0, lt=1)
    nesterov: bool

    @rule
    def nesterov_looks_along_a_momentum(self) -> Problem | None:
        """Without momentum there is nothing to look ahead along."""
        if self.momentum > 0 or not self.nesterov:
            return None
        return Problem("nesterov", "needs sgd.momentum above 0", self.nesterov,
                       "false, or a momentum of 0.9")  # fmt: skip


class LionConfig(Config):
    """Options of `train.optimizer: lion`."""

    beta1: float = Field(ge=0, lt=1)
    beta2: float = Field(ge=0, lt=1)


class MuonConfig(Config):
    """Options of `train.optimizer: muon`."""

    learning_rate: float = Field(gt=0)
    momentum: float = Field(ge=0, lt=1)
    newton_schulz_steps: int = Field(ge=1, le=20)


class WsdConfig(Config):
    """Options of `train.schedule: wsd`."""

    decay_share: float = Field(gt=0, le=1)
    """Of the steps after the warm-up."""
    decay: Literal["linear", "sqrt"]


class InverseSquareRootConfig(Config):
    """Options of `train.schedule: inverse_square_root`."""

    timescale_steps: int = Field(ge=1)


class PlateauConfig(Config):
    """Options of `train.schedule: plateau`."""

    factor: float = Field(gt=0, lt=1)
    patience_validations: int = Field(ge=0)
    threshold: float = Field(ge=0, lt=1)
    """How much lower than the best a loss must be to count as better, as a share of it."""


class RangeConfig(Config):
    """Options of `train.schedule: range`."""

    lowest_share: float = Field(gt=0, lt=1)
    """Where the rate begins, as a share of its peak."""


class OptimConfig(Config):
    """The part of section `train` that says how weights move."""

    loss: Literal["torch", "chunked"]
    optimizer: Literal["adamw", "adamw_scratch", "adam", "sgd", "lion", "muon"]
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    max_grad_norm: float | None = Field(gt=0)
    adam: AdamConfig
    sgd: SgdConfig
    lion: LionConfig
    muon: MuonConfig
    ema_decay: float | None = Field(gt=0, lt=1)
    """Of the average of weights over the steps, which is what is validated and kept; null: off."""
    schedule: Literal["constant", "linear", "cosine", "wsd", "inverse_square_root", "plateau", "range"]
    wsd: WsdConfig
    inverse_square_root: InverseSquareRootConfig
    plateau: PlateauConfig
    range: RangeConfig
    warmup_steps: int = Field(ge=0)
    final_learning_rate_share: float = Field(ge=0, le=1)

    def acts(self, selector: str, word: str) -> bool:
        """The options of Adam act for all of its kin."""
        return self.optimizer in ADAMS if word == "adam" else super().acts(selector, word)
