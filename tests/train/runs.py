"""Small training runs, and a recorder that remembers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from reprolm.data.shards import Tokens
from reprolm.model.config import ModelConfig
from reprolm.store import directory_digest
from reprolm.train.loop import Trainer
from reprolm.train.publish import numbers, publish_curve, publish_model
from reprolm.train.run import Run
from tests.settings import model_config, train_config
from tests.tokens import patterned, write_tokens


class Memory:
    """A recorder that remembers, and may act after a step."""

    def __init__(self, after: int | None = None, action: Any = None) -> None:
        self.points: list[tuple[int, dict[str, float]]] = []
        self.after, self.action = after, action

    def point(self, step: int, values: Mapping[str, float], at: float) -> None:
        self.points.append((step, dict(values)))
        if step == self.after:
            self.action()


class CrashError(Exception):
    """Stands for a kill inside the process."""


def crash() -> None:
    raise CrashError


def run(tmp_path: Path, corpus: int = 3000, **changes: Any) -> Run:
    """A small run on a corpus of so many tokens, which have a pattern."""
    directory = tmp_path / "tokens"
    if not directory.exists():
        write_tokens(directory, train=patterned(corpus), validation=patterned(300, seed=1))
    splits = [Tokens(directory, split) for split in ("train", "validation")]
    model = {key: changes.pop(key) for key in ModelConfig.model_fields if key in changes}
    threads = changes.pop("threads", 1)
    configs = model_config(**model), train_config(**changes)
    return Run(*configs, 7, *splits, torch.device("cpu"), threads=threads)


def published(trainer: Trainer, out: Path) -> tuple[str, bytes, dict[str, Any]]:
    """Everything that a finished run leaves."""
    result = numbers(trainer)
    publish_curve(trainer, out / "train.csv")
    publish_model(trainer, out / "model", {"tokenizer": "x"})
    return directory_digest(out / "model"), (out / "train.csv").read_bytes(), result


def finished(run: Run, directory: Path, out: Path, recorder: Memory | None = None) -> Any:
    trainer = Trainer(run, directory, recorder or Memory())
    trainer.fit()
    return published(trainer, out)
