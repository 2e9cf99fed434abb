"""Checkpoints belong to one configuration."""

from pathlib import Path
from typing import Any

import pytest
import torch

from reprolm.config import chosen, words
from reprolm.device import fingerprint
from reprolm.store import digest, locked, publish_directory
from reprolm.train import begun, finished
from reprolm.train.config import TrainConfig
from reprolm.train.key import FREE, checkpoint_key, code_digest, key_parts
from tests.settings import model_config, train_config

BITS = fingerprint(torch.device("cpu"), 2)
OTHER: dict[str, Any] = {
    "steps": 13, "tokens": 13, "epochs": 13.0, "horizon": "tokens", "batch_size": 5,
    "processes": 2, "sharding": "fsdp", "micro_batch_size": 2, "on_out_of_memory": "halve",
    "activation_checkpointing": True, "compile": True,
    "precision": "bfloat16", "windows": "padded", "sampling": "with_replacement", "patience_validations": 3,
    "loss": "chunked", "optimizer": "adamw", "ema_decay": 0.5, "learning_rate": 0.5, "weight_decay": 0.5,
    "max_grad_norm": None, "schedule": "constant", "warmup_steps": 1, "final_learning_rate_share": 0.5,
    "validate_every_steps": 5, "log_every_steps": 2, "checkpoint_every_steps": 7,
    "adam": {"beta1": 0.5, "beta2": 0.5, "epsilon": 0.5, "amsgrad": True},
    "sgd": {"momentum": 0.5, "nesterov": True}, "lion": {"beta1": 0.5, "beta2": 0.5},
    "muon": {"learning_rate": 0.5, "momentum": 0.5, "newton_schulz_steps": 7},
    "wsd": {"decay_share": 0.5, "decay": "linear"}, "inverse_square_root": {"timescale_steps": 5},
    "range": {"lowest_share": 0.5},
    "events": {
        "on_divergence": "record", "spike_sigmas": 3.0, "spike_share": 0.5, "diverged_share": 0.5,
        "plateau_share": 0.5, "explosion_factor": 5.0,
    },
    "plateau": {"factor": 0.25, "patience_validations": 5, "threshold": 0.5},
}  # fmt: skip


def key(data: str = "data", seed: int = 1, bits: dict[str, Any] = BITS, **train: Any) -> str:
    return checkpoint_key(key_parts(model_config(), train_config(**train), seed, data, bits))


@pytest.mark.parametrize("name", sorted(TrainConfig.model_fields))
def test_every_parameter_but_those_that_change_no_output_changes_the_key(name: str) -> None:
    # what belongs to a word counts only where that word is chosen
    selectors = ("horizon", "optimizer", "schedule")
    chosen = {key: name for key in selectors if name in words(TrainConfig.model_fields[key].annotation)}
    assert (key(**chosen, **{name: OTHER[name]}) == key(**chosen)) == (name in FREE)


def test_data_seed_architecture_and_machine_change_the_key() -> None:
    other_model = checkpoint_key(key_parts(model_config(d_ff=32), train_config(), 1, "data", BITS))
    keys = [key(), key(data="other"), key(seed=2), key(bits=BITS | {"threads": 1}), other_model]
    assert len(set(keys)) == len(keys)


def test_the_key_is_the_digest_of_what_it_was_before_its_parts_were_kept() -> None:
    training = {name: value for name, value in chosen(train_config()).items() if name not in FREE}
    parts = {"model": chosen(model_config()), "train": training, "seed": 1, "data": "data"}
    assert key() == digest(parts | {"code": code_digest(), "fingerprint": BITS})[:16]


def test_options_of_what_is_not_chosen_change_nothing() -> None:
    assert key(optimizer="adamw") == key(optimizer="adamw", muon=OTHER["muon"])


def test_finished_checkpoints_stay_until_their_model_is_recorded(tmp_path: Path) -> None:
    for name in ("one", "two", "running"):
        with publish_directory(tmp_path / name / "step-000000001") as out:
            (out / "a").write_text("a")
    finished.mark(tmp_path / "one", "digest-1")
    finished.mark(tmp_path / "two", "digest-2")
    finished.remove(tmp_path, model="digest-1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["running", "two"]
    with locked(tmp_path / "two"):
        finished.remove(tmp_path, model="digest-2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["running", "two"]
    begun.begin(tmp_path / "two", key_parts(model_config(), train_config(), 1, "data", BITS))
    finished.remove(tmp_path, model="digest-2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["running", "two"]
