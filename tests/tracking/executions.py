"""Executions written by hand, as their stages would have left them."""

import os
import subprocess
from pathlib import Path
from typing import Any

import psutil

from reprolm.journal import Journal
from reprolm.store import publish_file, publish_json
from reprolm.tracking.identity import Execution, host
from reprolm.tracking.location import executions
from reprolm.tracking.record import FILES, JOURNAL

FIRST = 1_790_000_000_000
PARAMS = {
    "seed": 1, "train.steps": 40, "train.learning_rate": 0.003, "model.position": "rope",
    "evaluate.split": "test",
}  # fmt: skip


def here() -> tuple[int, float]:
    """A process that lives: this one."""
    return os.getpid(), psutil.Process().create_time()


def gone() -> tuple[int, float]:
    """A process that is no more."""
    process = subprocess.Popen(["true"])
    born = psutil.Process(process.pid).create_time()
    process.wait()
    return process.pid, born


class Written:
    """One execution under a repository; `at` moves on by a second with each record."""

    def __init__(
        self,
        root: Path,
        *,
        alive: bool = False,
        on: str = "",
        command: str = "dvc repro train",
        process: tuple[int, float] | None = None,
        **fields: Any,
    ) -> None:
        self.process = process or (here() if alive else gone())
        self.execution = Execution(on or host(), *self.process, "repro", command, **fields)
        count = len(list(executions(root).glob("*"))) if executions(root).is_dir() else 0
        self.directory = executions(root) / f"{self.execution.id}{count}"
        self.journal = Journal(self.directory / JOURNAL)
        self.at = FIRST
        tags = {"git.commit": "c0ffee"}
        self.add("opened", execution=self.execution.record(), params=PARAMS, tags=tags)

    def add(self, kind: str, **fields: Any) -> None:
        self.at += 1000
        self.journal.append({"at": self.at, "kind": kind, **fields})

    def start(self, stage: str, process: tuple[int, float] | None = None) -> None:
        pid, born = process or self.process
        self.add("started", stage=stage, pid=pid, born=born)

    def end(self, stage: str, status: str = "done", exit: int = 0, error: str = "") -> None:
        self.add("ended", stage=stage, status=status, exit=exit, error=error, seconds=1.5)

    def file(self, stage: str, path: str, content: str, kind: str = "file") -> None:
        publish_file(self.directory / FILES / path, content)
        self.add(kind, stage=stage, path=path)

    def train(self, steps: int = 40) -> None:
        """The stage `train`, with everything that a stage may record."""
        self.start("train")
        for step in range(1, steps + 1):
            values = {"train/loss": 4 / step, "train/learning_rate": 0.003}
            values |= {"validation/loss": 4.5 / step} if step % 10 == 0 else {}
            self.add("point", stage="train", step=step, values=values)
        self.add("numbers", stage="train", numbers={"best_validation_loss": 0.1125, "parameters": 1234})
        data = {"name": "corpus/train", "digest": "ab" * 32, "source": "data/tokens", "context": "training"}
        self.add("dataset", stage="train", **data)
        self.add("tag", stage="train", key="resumed_from_step", value="0")
        self.file("train", "plots/train.csv", "step,tokens\n")
        self.file("train", "samples.json", '{"columns": ["a"], "data": [[1]]}', kind="table")
        self.add("outputs", stage="train", outputs={"model": "d" * 64})
        self.end("train")


def workspace(path: Path) -> None:
    """The tracked files of a pipeline that once ran whole."""
    for stage, numbers in {"encode": {"tokens": 100}, "train": {"best_validation_loss": 2.5}}.items():
        publish_json(path / "metrics" / f"{stage}.json", numbers)
    rows = [f"{step},{step * 10},{3 - step / 100},,0.003,1.0" for step in range(1, 6)]
    head = "step,tokens,train_loss,validation_loss,learning_rate,gradient_norm"
    publish_file(path / "plots" / "train.csv", "\n".join([head, *rows]) + "\n")
