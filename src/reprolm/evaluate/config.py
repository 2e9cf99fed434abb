"""Section `evaluate`: what is scored, and how."""

from typing import Literal

from pydantic import Field

from reprolm.config import Config


class EvaluateConfig(Config):
    """How the model is judged; the test split is for the final word, so that sweeps do not choose on it."""

    split: Literal["validation", "test"]
    stride: int = Field(ge=1)
    batch_size: int = Field(ge=1)
