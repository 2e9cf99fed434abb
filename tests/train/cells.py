"""What runs may be made of, in every pair; runs that are stopped and go on, and all that they leave."""

import itertools
import os
import random
import shutil
import signal
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save

from reprolm.errors import Stopped
from reprolm.store import manifest
from reprolm.train.loop import Trainer
from reprolm.train.publish import numbers, publish
from reprolm.train.run import Run
from tests.settings import raw
from tests.train.runs import CrashError, Memory, crash, run

Cell = Mapping[str, str]
"""The word that is chosen for each thing."""
Choices = Mapping[str, Mapping[str, dict[str, Any]]]
"""The words, and the parameters that each stands for."""

EDGE = 3
"""The step after which the second epoch begins; where it is within a batch, in the step after that."""
FIRST_SCALE = 2.0**19
"""At which the gradients of the small model just overflow."""
CONTRACT: Choices = {
    "precision": {name: {"precision": name} for name in ("float32", "bfloat16", "float16")},
    "dropout": {"": {}, "dropout": {"dropout": 0.1}},
    "parts": {"whole": {"micro_batch_size": None}, "4 parts": {"micro_batch_size": 1}},
    "average": {"": {}, "ema": {"ema_decay": 0.9}},
    "saved": {
        f"saved {place} edge": {"saved": EDGE + steps, "corpus": tokens}
        for place, steps, tokens in (
            ("before the", -1, 208), ("at the", 0, 208), ("after the", 1, 208), ("before an inner", 0, 240),
        )
    },
}  # fmt: skip
"""What the contract of resuming names: 96 cells."""
BESIDES: Choices = {
    "optimizer": {
        name: {"optimizer": name} for name in ("adamw", "adamw_scratch", "adam", "sgd", "lion", "muon")
    }
    | {"amsgrad": {"optimizer": "adamw", "adam": raw("train")["adam"] | {"amsgrad": True}}},
    "schedule": {
        "linear": {"schedule": "linear"},
        "plateau": {"schedule": "plateau", "plateau": raw("train")["plateau"] | {"threshold": 0.5}},
    },
    "patience": {"": {}, "patience": {"patience_validations": 4, "learning_rate": 0.3}},
    "recompute": {"": {}, "recompute": {"activation_checkpointing": True}},
    "loss": {"": {}, "chunked loss": {"loss": "chunked"}},
    "feedforward": {"": {}, "experts": {"feedforward": "moe"}},
    "windows": {"packed": {}, "padded": {"windows": "padded"}},
    "sampling": {"": {}, "with replacement": {"sampling": "with_replacement"}},
    "threads": {"": {}, "2 threads": {"threads": 2}},
    "ends": {"killed": {"asked": False}, "asked to stop": {"asked": True}},
}
"""What may hide a state of its own besides."""
CHOICES = CONTRACT | BESIDES


def pairs(cell: Cell) -> set[tuple[tuple[str, str], ...]]:
    """Every two of the words that meet in a cell."""
    return set(itertools.combinations(sorted(cell.items()), 2))


def covering(choices: Choices, begun: Iterable[Cell] = ()) -> list[Cell]:
    """Cells in which any two words meet that may: those that were begun, filled up, and some more.

    Greedy, word by word (Cohen et al. 1997, "The AETG system").
    """
    chance, begun = random.Random(0), [dict(cell) for cell in begun]
    missing = {
        ((one, a), (other, b))
        for one, other in itertools.combinations(sorted(choices), 2)
        for a, b in itertools.product(choices[one], choices[other])
    }
    cells: list[Cell] = []
    while begun or missing:
        cell = begun.pop(0) if begun else dict(min(missing))
        rest = [name for name in choices if name not in cell]
        for name in chance.sample(rest, len(rest)):
            new = [len(pairs(cell | {name: word}) & missing) for word in choices[name]]
            words = [word for word, count in zip(choices[name], new, strict=True) if count == max(new)]
            cell[name] = chance.choice(words)
        cells.append({name: cell[name] for name in choices})
        missing -= pairs(cell)
    return cells


def contract() -> list[Cell]:
    """Each combination of what the contract names."""
    return [dict(zip(CONTRACT, words, strict=True)) for words in itertools.product(*CONTRACT.values())]


def named(cell: Cell) -> str:
    """What a test of a cell is called."""
    return "-".join(filter(None, cell.values()))


def quick_and_harsh(patched: pytest.MonkeyPatch) -> None:
    """For tests in which power does not fail, and float16 leaves out steps before and after the stop."""
    patched.setattr("os.fsync", lambda descriptor: None)
    patched.setattr("reprolm.train.precision.FIRST_SCALE", FIRST_SCALE)
    patched.setattr("reprolm.train.precision.PATIENCE_STEPS", 2)


class Made:
    """The run of a cell, and where and how it is stopped."""

    def __init__(self, directory: Path, cell: Cell, **changes: Any) -> None:
        parameters: dict[str, Any] = {"steps": 2 * EDGE, "saved": EDGE, "asked": False, "n_layers": 1}
        for name, word in cell.items():
            parameters |= CHOICES[name][word]
        parameters |= {"validate_every_steps": 1} | changes
        self._saved, self._asked = parameters.pop("saved"), parameters.pop("asked")
        self._parameters, self.directory = parameters, directory

    def run(self, checkpoint_every_steps: int = 1000) -> Run:
        """The parameters, which say besides how often a checkpoint is written."""
        return run(self.directory, **self._parameters, checkpoint_every_steps=checkpoint_every_steps)

    def whole(self) -> Trainer:
        """Never stopped."""
        trainer = Trainer(self.run(), self.directory / "whole", Memory())
        trainer.fit()
        return trainer

    def stopped(self) -> int:
        """Stopped by a crash after a checkpoint or by a signal, which writes one; after which step."""
        ask = partial(os.kill, os.getpid(), signal.SIGTERM)
        stop = Memory(self._saved, ask) if self._asked else Memory(self._saved + 1, crash)
        every = 1000 if self._asked else self._saved
        try:
            Trainer(self.run(every), self.directory / "stopped", stop).fit()
        except (CrashError, Stopped):
            (path,) = (self.directory / "stopped").glob("step-*")
            return int(path.name.removeprefix("step-"))
        raise AssertionError("ended before it was stopped")

    def resumed(self) -> Trainer:
        """What was stopped goes on, as often as asked, as in a new process: compiled anew, other lots."""
        torch.compiler.reset()
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
        shutil.rmtree(self.directory / "resumed", ignore_errors=True)
        shutil.copytree(self.directory / "stopped", self.directory / "resumed")
        trainer = Trainer(self.run(), self.directory / "resumed", Memory())
        trainer.fit()
        return trainer


def left(trainer: Trainer, out: Path) -> dict[str, Any]:
    """All that a run publishes, and what its recorder heard; no timings."""
    publish(trainer, out / "train.csv", out / "record", out / "model")
    files = {name: (out / name).read_bytes() for name in _files(out)}
    assert isinstance(trainer.recorder, Memory)
    heard = [
        (step, {name: value for name, value in values.items() if "second" not in name})
        for step, values in trainer.recorder.points
    ]
    return files | {"numbers": numbers(trainer), "heard": heard}


def _files(out: Path) -> Iterator[str]:
    yield "train.csv"
    for folder in ("record", "model"):
        yield from (f"{folder}/{name}" for name in manifest(out / folder))


def moved(trainer: Trainer) -> dict[str, Any]:
    """All that a checkpoint after the last step holds; no timings."""
    files = trainer.tensors.files()
    del files["series.safetensors"]["seconds"]
    state = asdict(trainer.state) | {"curve": None, "watch": trainer.watch.remembered()}
    scale = trainer.step.precision.scale
    state |= {"loss_scale": scale and asdict(scale), "plateau": asdict(trainer.step.schedule.plateau)}
    return state | {name: save(tensors) for name, tensors in files.items()}
