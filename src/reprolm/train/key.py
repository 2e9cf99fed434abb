"""Which checkpoints belong to a run: a name made of everything that changes its bits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprolm.config import chosen, section
from reprolm.model.config import ModelConfig
from reprolm.store import digest, file_sha256
from reprolm.train.config import TrainConfig

FREE = ("checkpoint_every_steps", "on_out_of_memory", "processes", "sharding")
"""Parameters with other values of which a run that was killed may be resumed.

They change no output; the number of processes changes the order of sums, so that the last bits differ, and
where no `micro_batch_size` is asked for, what dropout draws for a part of the batch.
"""
CODE = (
    "data",
    "diagnose",
    "distributed",
    "model",
    "optim",
    "train",
    "device.py",
    "seeds.py",
    "threads.py",
    "evaluate/loss.py",
)


def code_digest() -> str:
    """One sha256 for the source files that decide what training computes."""
    package = Path(__file__).parents[1]
    files = [path for part in CODE for path in sorted([package / part, *(package / part).rglob("*.py")])]
    return digest({str(path.relative_to(package)): file_sha256(path) for path in files if path.is_file()})


def key_parts(
    model: ModelConfig, train: TrainConfig, seed: int, data: str, fingerprint: dict[str, Any]
) -> dict[str, Any]:
    """All that changes a run's bits, to be read; `data` is the digest of its tokens."""
    training = {name: value for name, value in chosen(train).items() if name not in FREE}
    return {
        "model": chosen(model), "train": training, "seed": seed, "data": data, "code": code_digest(),
        "fingerprint": fingerprint,
    }  # fmt: skip


def parts_of_params(params: Mapping[str, Any], data: str, fingerprint: dict[str, Any]) -> dict[str, Any]:
    """The same, of what `params.yaml` holds.

    Raises:
        ReprolmError: one line for each thing that is wrong with the two sections (exit 2).
    """
    model, train = section(params, "model", ModelConfig), section(params, "train", TrainConfig)
    return key_parts(model, train, params.get("seed", 0), data, fingerprint)


def checkpoint_key(parts: dict[str, Any]) -> str:
    """The name of a run's directory of checkpoints, 16 hex digits."""
    return digest(parts)[:16]
