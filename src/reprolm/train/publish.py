"""What training leaves: the best and the last model, the curve, the numbers."""

import csv
import io
from pathlib import Path
from typing import Any

from reprolm.diagnose.series import clipping
from reprolm.model.count import flops_per_token, parameters
from reprolm.model.storage import save_model, write_tensors
from reprolm.store import directory_digest, publish_directory, publish_file, publish_json
from reprolm.train import finished
from reprolm.train.certificate import certificate
from reprolm.train.forensics import lines
from reprolm.train.loop import ENTROPY, Trainer

LAST = "last.safetensors"
COLUMNS = {
    "train_loss": "train/loss",
    "validation_loss": "validation/loss",
    "learning_rate": "train/learning_rate",
    "gradient_norm": "train/gradient_norm",
}
SOMETIMES = {
    "attention_entropy": ENTROPY,
    "balance_loss": "train/balance_loss",
    "heaviest_load": "train/heaviest_load",
}
"""Columns of models that have such a thing."""


def publish_model(trainer: Trainer, out: Path, facts: dict[str, Any]) -> None:
    """Publishes the weights that scored best (`model.safetensors`) and those of the last step."""
    tensors, state = trainer.tensors, trainer.state
    facts = facts | {"step": state.best_step, "validation_loss": state.best_loss}
    with publish_directory(out) as directory:
        save_model(directory, tensors.model, facts, tensors.best)
        write_tensors(directory / LAST, tensors.last)


def publish_curve(trainer: Trainer, out: Path) -> None:
    """Publishes the curve as CSV, a row for each step that was looked at; no timings: they always differ."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    records = trainer.state.curve
    told = {name for record in records for name in record["values"]}
    columns = COLUMNS | {column: name for column, name in SOMETIMES.items() if name in told}
    writer.writerow(["step", "tokens", *columns])
    for record in records:
        numbers = [record["values"].get(name, "") for name in columns.values()]
        writer.writerow([record["step"], record["step"] * trainer.step.tokens, *numbers])
    publish_file(out, text.getvalue())


def publish_record(trainer: Trainer, out: Path) -> None:
    """Publishes what was told of the run: the numbers of each step, its events and its certificate."""
    watch = trainer.watch
    with publish_directory(out) as directory:
        (directory / "steps.csv").write_text(watch.series.csv())
        (directory / "events.jsonl").write_text(lines(watch.records()), encoding="utf-8")
        publish_json(directory / "certificate.json", certificate(watch))


def speed(trainer: Trainer) -> str:
    """What differs from run to run, and stays out of DVC: seconds and tokens a second by step, as CSV."""
    tokens, seconds = trainer.step.tokens, trainer.watch.series.columns["seconds"]
    rows = [f"{step},{took:.6f},{tokens / took:.1f}\n" for step, took in enumerate(seconds, 1)]
    return "".join(["step,seconds,tokens_per_second\n", *rows])


def publish(trainer: Trainer, curve: Path, record: Path, model: Path) -> None:
    """Publishes all that a finished run leaves, and notes beside its checkpoints that this was done."""
    run = trainer.run
    publish_curve(trainer, curve)
    publish_record(trainer, record)
    facts = {"tokenizer": run.training.tokenizer_digest, "windows": run.train.windows}
    publish_model(trainer, model, facts)
    finished.mark(trainer.checkpoints.directory, directory_digest(model))


def numbers(trainer: Trainer) -> dict[str, Any]:
    """The deterministic numbers of the run, for `metrics/train.json`."""
    model, state = trainer.tensors.model, trainer.state
    losses = [r["values"]["train/loss"] for r in trainer.state.curve if "train/loss" in r["values"]]
    tail = losses[-max(1, len(losses) // 20) :]
    step = trainer.step
    return {
        "best_validation_loss": state.best_loss,
        "best_step": state.best_step,
        "final_train_loss": sum(tail) / len(tail) if tail else None,
        "steps": state.step,
        "tokens": state.step * step.tokens,
        "epochs": state.step * step.batches.batch_size / step.batches.windows,
        "events": len(trainer.watch.detector.events),
        **step.forced,
        "clip": clipping(
            list(trainer.watch.series.columns["gradient_norm"]),
            trainer.run.train.max_grad_norm,
            trainer.run.train.warmup_steps,
        ),
        "parameters": parameters(model),
        "flops_per_token": flops_per_token(model),
    }
