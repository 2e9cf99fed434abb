"""Options of the optimizers and schedules that section `train` selects."""

from pydantic import Field

from reprolm.config import Config


class AdamConfig(Config):
    """Moments of AdamW; under `train.optimizer: muon` they hold for what is not a matrix of a block."""

    beta1: float = Field(ge=0, lt=1)
    beta2: float = Field(ge=0, lt=1)
    epsilon: float = Field(gt=0)


class MuonConfig(Config):
    """Options of `train.optimizer: muon`."""

    learning_rate: float = Field(gt=0)
    momentum: float = Field(ge=0, lt=1)
    newton_schulz_steps: int = Field(ge=1, le=20)
