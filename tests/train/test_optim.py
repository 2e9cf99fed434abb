"""Training with each of the optimizers, schedules and losses."""

from pathlib import Path
from typing import Any

import pytest

from reprolm.config import words
from reprolm.optim.config import OptimConfig
from reprolm.train.loop import Trainer
from tests.settings import raw
from tests.train.runs import Memory, run

RATES = {"adamw": 0.01, "adamw_scratch": 0.01, "adam": 0.01, "sgd": 0.3, "lion": 0.002, "muon": 0.01}
OPTIMIZERS = words(OptimConfig.model_fields["optimizer"].annotation)


def curve(tmp_path: Path, name: str, **changes: Any) -> tuple[Trainer, dict[str, list[float]]]:
    """A run to its end, and what it told."""
    trainer = Trainer(run(tmp_path, **changes), tmp_path / name, memory := Memory())
    trainer.fit()
    told: dict[str, list[float]] = {}
    for _, values in memory.points:
        for key, value in values.items():
            told.setdefault(key, []).append(value)
    return trainer, told


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_loss_falls_towards_the_entropy_of_the_pattern(tmp_path: Path, optimizer: str) -> None:
    options = {"steps": 150, "batch_size": 8, "learning_rate": RATES[optimizer], "schedule": "wsd"}
    _, told = curve(tmp_path, "a", optimizer=optimizer, **options)
    losses = told["train/loss"]
    assert losses[0] > 3.0
    assert sum(losses[-10:]) / 10 < 1.0  # the entropy of a choice of 0.8 against 0.2 is 0.50


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("parts", "windows"), [(None, "packed"), (2, "packed"), (2, "padded")])
def test_the_chunked_loss_leads_to_the_curve_of_torch(
    tmp_path: Path, precision: str, parts: int | None, windows: str
) -> None:
    options = {"steps": 30, "precision": precision, "micro_batch_size": parts, "windows": windows}
    theirs, ours = (
        curve(tmp_path, loss, loss=loss, **options)[1]["train/loss"] for loss in ("torch", "chunked")
    )
    assert ours == pytest.approx(theirs, abs=1e-4 if precision == "float32" else 0.03)


def test_adamw_from_scratch_leads_to_the_curve_of_torch(tmp_path: Path) -> None:
    theirs, ours = (
        curve(tmp_path, kind, optimizer=kind, steps=30)[1]["train/loss"]
        for kind in ("adamw", "adamw_scratch")
    )
    assert ours == pytest.approx(theirs, abs=1e-4)


def test_the_average_is_validated_and_kept_and_changes_no_weight(tmp_path: Path) -> None:
    options = {"steps": 40, "learning_rate": 0.01, "schedule": "constant", "validate_every_steps": 40}
    plain, told = curve(tmp_path, "plain", **options)
    averaged, others = curve(tmp_path, "averaged", ema_decay=0.9, **options)
    assert others["train/loss"] == told["train/loss"]
    assert others["validation/loss"] != told["validation/loss"]
    weight, average = averaged.step.model.head.weight, averaged.tensors.average
    assert weight.equal(plain.step.model.head.weight)
    assert average is not None
    assert averaged.tensors.best["head.weight"].equal(average.tensors["head.weight"])
    assert not weight.equal(average.tensors["head.weight"])


def test_plateau_lowers_the_rate_after_validations_that_are_no_better(tmp_path: Path) -> None:
    plateau = raw("train")["plateau"] | {"factor": 0.1, "patience_validations": 1, "threshold": 0.99}
    options = {"schedule": "plateau", "plateau": plateau, "warmup_steps": 0, "validate_every_steps": 2}
    _, told = curve(tmp_path, "a", learning_rate=0.01, **options)
    # the first validation is the best; of those after steps 4 and 6 the second is one too many
    assert told["train/learning_rate"] == pytest.approx([0.01] * 6 + [0.001] * 4 + [0.0001] * 2)
