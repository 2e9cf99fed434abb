"""Small sections of params.yaml for tests; each call may change values."""

import functools
from copy import deepcopy
from pathlib import Path
from typing import Any

from reprolm.config import read_params, section
from reprolm.generate.config import SampleConfig
from reprolm.model.config import ModelConfig
from reprolm.train.config import TrainConfig

ROOT = Path(__file__).parents[1]

SMALL = {
    "model": {"context_length": 16, "n_layers": 2, "d_model": 32, "n_heads": 4, "n_kv_heads": 2, "d_ff": 64},
    "train": {
        "steps": 12, "batch_size": 4, "warmup_steps": 2, "validate_every_steps": 4, "log_every_steps": 1,
        "checkpoint_every_steps": 3,
    },
    "sample": {"max_new_tokens": 8, "draws": 2, "top_k": None, "top_p": None},
}  # fmt: skip


def raw(name: str, **changes: Any) -> dict[str, Any]:
    """A section of the repository's own params.yaml, made small."""
    section: dict[str, Any] = deepcopy(_params()[name])
    return section | SMALL.get(name, {}) | changes


@functools.cache
def _params() -> dict[str, Any]:
    # to parse it takes longer than to train a small model for a few steps
    return read_params(ROOT / "params.yaml")


def model_config(**changes: Any) -> ModelConfig:
    """The section `model`, with the initialisation in which every part acts."""
    values = raw("model", **changes)
    values["normal"] = values["normal"] | {"residual": "scaled", "standard_deviation": 0.1}
    return section({"model": values}, "model", ModelConfig)


def train_config(**changes: Any) -> TrainConfig:
    """The section `train`."""
    return section({"train": raw("train", **changes)}, "train", TrainConfig)


def sample_config(**changes: Any) -> SampleConfig:
    """The section `sample`."""
    return section({"sample": raw("sample", **changes)}, "sample", SampleConfig)
