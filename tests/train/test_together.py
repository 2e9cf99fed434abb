"""Several processes: the curve of one, checkpoints that pass between any number, and an end for all."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from reprolm.errors import Exit, Stopped
from reprolm.train.loop import Trainer
from tests.settings import ROOT
from tests.train.crew import strike
from tests.train.runs import Memory, run

MIXTURE = {"feedforward": "moe", "micro_batch_size": 2, "dropout": 0.1}
"""With parts of the batch given, loads of experts and dropout are the same for any number of processes."""
FSDP = {"sharding": "fsdp"}
CONFIGS: dict[str, dict[str, Any]] = {
    "muon": {"optimizer": "muon"},
    "muon-fsdp": {"optimizer": "muon", **FSDP},
    "adamw-chunked": {"optimizer": "adamw", "loss": "chunked", "windows": "padded"},
    "adamw-chunked-fsdp": {
        "optimizer": "adamw", "loss": "chunked", "ema_decay": 0.9, "activation_checkpointing": True, **FSDP
    },
    "scratch-fsdp": {"optimizer": "adamw_scratch", **FSDP},
    "lion-fsdp": {"optimizer": "lion", "learning_rate": 0.001, "windows": "isolated", **FSDP},
    "sgd-fsdp": {"optimizer": "sgd", **FSDP},
    "mixture": {**MIXTURE, "optimizer": "adamw"},
    "mixture-fsdp": {**MIXTURE, "optimizer": "adamw", **FSDP},
    "float16": {"optimizer": "adamw", "precision": "float16"},
}  # fmt: skip
PASSED = ("muon", "adamw-chunked-fsdp", "mixture-fsdp")
"""Those whose checkpoints are handed from one process to two, and from two to one."""
STOP = 7


def job(name: str, config: str, **events: list[int]) -> dict[str, Any]:
    return {"name": name, "changes": CONFIGS[config], **events}


def crew(folder: Path, jobs: list[dict[str, Any]]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.train.crew", str(folder), json.dumps(jobs)], cwd=ROOT, text=True,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}, stderr=subprocess.PIPE,
    )  # fmt: skip


def alone(
    folder: Path, name: str, config: str, stop: int | None = None
) -> list[tuple[int, dict[str, float]]]:
    trainer = Trainer(run(folder, **CONFIGS[config]), folder / name, memory := Memory())
    if stop is not None:
        strike(trainer, stop, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Stopped):
            trainer.fit()
    else:
        trainer.fit()
    return memory.points


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two processes have trained every configuration, after and before one process did."""
    folder = tmp_path_factory.mktemp("together")
    for config in PASSED:
        alone(folder, f"one-to-two-{config}", config, STOP)
    jobs = [job(f"two-{config}", config) for config in CONFIGS]
    jobs += [job(f"one-to-two-{config}", config) for config in PASSED]
    # a signal to either of them
    jobs += [job(f"two-to-one-{c}", c, signalled=[STOP, rank % 2]) for rank, c in enumerate(PASSED)]
    started = crew(folder, jobs)
    _, said = started.communicate(timeout=300)
    assert started.returncode == 0, said
    return folder


def told(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return found


def assert_same(points: Any, others: Any, within: float = 1e-5) -> None:
    compared = 0
    for (step, values), (other, theirs) in zip(points, others, strict=True):
        assert step == other
        assert values.keys() == theirs.keys()
        for key in values.keys() - {"train/tokens_per_second"}:
            assert values[key] == pytest.approx(theirs[key], rel=within, abs=within), (step, key)
            compared += 1
    assert compared > 30


@pytest.mark.parametrize("config", CONFIGS)
def test_two_processes_have_the_curve_of_one(folder: Path, config: str) -> None:
    # products in half precision round otherwise where there are fewer rows
    within = 0.05 if config == "float16" else 1e-5
    assert_same(told(folder, f"two-{config}")["points"], alone(folder, f"one-{config}", config), within)


@pytest.mark.parametrize("config", PASSED)
def test_two_processes_go_on_from_the_checkpoint_of_one(folder: Path, config: str) -> None:
    found = told(folder, f"one-to-two-{config}")
    assert found["began"] == STOP
    assert_same(found["points"], told(folder, f"two-{config}")["points"])


@pytest.mark.parametrize("config", PASSED)
def test_a_signal_to_any_process_stops_all_and_one_goes_on_from_there(folder: Path, config: str) -> None:
    stopped = told(folder, f"two-to-one-{config}")
    assert (stopped["code"], stopped["ended"]) == (Exit.TERMINATED, STOP)
    kept = [path.name for path in (folder / f"two-to-one-{config}").glob("step-*")]
    assert max(kept) == f"step-{STOP:09d}"
    assert_same(alone(folder, f"two-to-one-{config}", config), told(folder, f"two-{config}")["points"])


def test_gradients_are_those_of_torch(folder: Path) -> None:
    assert told(folder, "reference") < 1e-6  # type: ignore[operator]


@pytest.mark.parametrize(
    ("event", "code", "line"),
    [
        ("killed", Exit.MEMORY, "process 1 of 2: ended before the run did (got signal SIGKILL; want memory"),
        ("fails", Exit.STORAGE, "disk: is full"),
    ],
)
def test_when_a_process_dies_all_end_with_one_line(tmp_path: Path, event: str, code: int, line: str) -> None:
    started = crew(tmp_path, [job("dies", "muon", **{event: [5, 1]})])
    _, said = started.communicate(timeout=120)
    assert started.returncode == code
    lines = [each for each in said.splitlines() if each.startswith("train: ") is False]
    assert len(lines) == 1
    assert lines[0].startswith(f"reprolm: error: {line}")


def test_when_the_first_process_is_killed_the_other_ends(tmp_path: Path) -> None:
    changes = {"steps": 100_000, "micro_batch_size": 1}
    started = crew(tmp_path, [{"name": "long", "changes": changes}])
    until = time.monotonic() + 60
    while not list(tmp_path.glob("long/step-*")) and time.monotonic() < until:
        time.sleep(0.05)
    (other,) = psutil.Process(started.pid).children()
    started.kill()
    started.communicate(timeout=30)
    other.wait(timeout=30)
    assert not other.is_running()
