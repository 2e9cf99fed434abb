"""Training: it learns, and a killed run ends as one that was never interrupted."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from reprolm.errors import Exit, ReprolmError, Stopped, guarded
from reprolm.processes import PARENT_DIED
from reprolm.store import publish_directory, verified
from reprolm.train.loop import Trainer
from reprolm.train.publish import publish_curve
from tests.settings import ROOT, raw
from tests.train.runs import CrashError, Memory, crash, finished, run


def test_the_experts_of_a_mixture_are_kept_busy_and_their_load_is_told(tmp_path: Path) -> None:
    told = {}
    for coefficient in (0.0, 0.3):
        options = raw("model")["moe"] | {"balance_coefficient": coefficient}
        config = run(tmp_path, feedforward="moe", moe=options, steps=60, batch_size=8, learning_rate=0.01)
        trainer = Trainer(config, tmp_path / str(coefficient), memory := Memory())
        trainer.fit()
        publish_curve(trainer, tmp_path / "train.csv")
        told[coefficient] = memory.points[-1][1]
    header, *rows = (tmp_path / "train.csv").read_text().splitlines()
    assert header.endswith("gradient_norm,attention_entropy,balance_loss,heaviest_load")
    assert all(len(row.split(",")) == len(header.split(",")) for row in rows)
    assert 1.0 <= told[0.3]["train/heaviest_load"] < told[0.0]["train/heaviest_load"] <= 4.0
    assert told[0.3]["train/balance_loss"] < told[0.0]["train/balance_loss"]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("at", range(1, 13))
def test_a_run_that_dies_at_any_step_ends_byte_identical(tmp_path: Path, at: int, optimizer: str) -> None:
    config = run(tmp_path, optimizer=optimizer, dropout=0.1)
    whole = finished(config, tmp_path / "a", tmp_path / "out-a")

    with pytest.raises(CrashError):
        Trainer(config, tmp_path / "b", Memory(at, crash)).fit()
    memory = Memory()
    assert finished(config, tmp_path / "b", tmp_path / "out-b", memory) == whole
    assert [step for step, _ in memory.points] == list(range(1, 13))  # the recorder hears the whole curve


def test_how_often_it_looks_changes_no_weight(tmp_path: Path) -> None:
    one = finished(run(tmp_path), tmp_path / "a", tmp_path / "out-a")
    other = run(tmp_path, validate_every_steps=12, log_every_steps=5, checkpoint_every_steps=100)
    finished(other, tmp_path / "b", tmp_path / "out-b")
    last = [(tmp_path / f"out-{name}" / "model" / "last.safetensors").read_bytes() for name in "ab"]
    assert last[0] == last[1]
    assert one[2]["steps"] == 12


def test_the_best_model_is_the_one_that_scored_best(tmp_path: Path) -> None:
    config = run(tmp_path, steps=60, learning_rate=0.01, schedule="constant")
    trainer = Trainer(config, tmp_path / "a", memory := Memory())
    trainer.fit()
    losses = {
        step: values["validation/loss"] for step, values in memory.points if "validation/loss" in values
    }
    assert trainer.state.best_loss == min(losses.values())
    assert losses[trainer.state.best_step] == trainer.state.best_loss


@pytest.fixture
def heard_by_default() -> Iterator[None]:
    """Signals as in a terminal: what is started in the background ignores Ctrl-C, and so do its children."""
    defaults = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in defaults.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def ended(trainer: Trainer) -> int:
    """The exit code of a training."""

    def fit() -> None:
        trainer.fit()

    return guarded(fit)


@pytest.mark.usefixtures("heard_by_default")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_writes_a_checkpoint_within_a_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int, code: int
) -> None:
    config = run(tmp_path, checkpoint_every_steps=100)
    whole = finished(config, tmp_path / "a", tmp_path / "out-a")
    trainer = Trainer(config, tmp_path / "b", Memory(5, lambda: os.kill(os.getpid(), number)))
    assert ended(trainer) == code
    assert "stopped after step 5; the same command goes on from there" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "b").glob("step-*")] == ["step-000000005"]
    assert finished(config, tmp_path / "b", tmp_path / "out-b") == whole


@pytest.mark.usefixtures("heard_by_default")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_it_at_once_without_a_checkpoint(tmp_path: Path, number: int, code: int) -> None:
    passed: list[str] = []

    def twice() -> None:
        for name in ("first", "second"):
            os.kill(os.getpid(), number)
            passed.append(name)

    trainer = Trainer(run(tmp_path, checkpoint_every_steps=100), tmp_path / "b", Memory(5, twice))
    assert ended(trainer) == code
    assert passed == ["first"]
    assert not list((tmp_path / "b").glob("step-*"))


@pytest.mark.usefixtures("heard_by_default")
@pytest.mark.parametrize("parent_first", [False, True])
def test_the_death_of_its_parent_is_no_second_signal(tmp_path: Path, parent_first: bool) -> None:
    numbers = [signal.SIGTERM, PARENT_DIED][:: -1 if parent_first else 1]

    def both() -> None:
        for number in numbers:
            os.kill(os.getpid(), number)

    trainer = Trainer(run(tmp_path, checkpoint_every_steps=100), tmp_path / "b", Memory(5, both))
    assert ended(trainer) == 143
    assert [path.name for path in (tmp_path / "b").glob("step-*")] == ["step-000000005"]


@pytest.mark.parametrize("ignored", [False, True])
def test_a_process_that_hears_ctrl_c_exits_130_also_where_its_parent_ignored_it(
    tmp_path: Path, ignored: bool
) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from tests.train.test_loop import *\n"
        "trainer = Trainer(run(Path(sys.argv[1]), checkpoint_every_steps=100), Path(sys.argv[1]) / 'a',"
        " Memory(5, lambda: os.kill(os.getpid(), signal.SIGINT)))\n"
        "sys.exit(ended(trainer))"
    )
    handler = signal.SIG_IGN if ignored else signal.SIG_DFL
    process = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}, timeout=120,
        preexec_fn=lambda: signal.signal(signal.SIGINT, handler),
    )  # fmt: skip
    assert process.returncode == 130, process.stderr
    assert [path.name for path in (tmp_path / "a").glob("step-*")] == ["step-000000005"]


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_checkpoints(tmp_path: Path) -> None:
    config = run(tmp_path)
    trainer = Trainer(config, tmp_path / "a", Memory())

    def poison() -> None:
        with torch.no_grad():
            trainer.tensors.model.head.weight[0, 0] = float("nan")

    trainer.recorder = Memory(8, poison)
    with pytest.raises(
        ReprolmError, match="step 9: NONFINITE: the loss or its gradient is not finite"
    ) as caught:
        trainer.fit()
    assert caught.value.exit == Exit.DIVERGED
    assert sorted(path.name for path in (tmp_path / "a").glob("step-*")) == [
        "step-000000003",
        "step-000000006",
    ]


def test_a_damaged_checkpoint_is_passed_over_and_the_end_is_the_same(tmp_path: Path, capsys: Any) -> None:
    config = run(tmp_path)
    whole = finished(config, tmp_path / "a", tmp_path / "out-a")
    newest = sorted((tmp_path / "a").glob("step-*"))[-1]
    content = bytearray((newest / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (newest / "model.safetensors").write_bytes(content)
    assert finished(config, tmp_path / "a", tmp_path / "out-b") == whole
    assert "has other bytes" in capsys.readouterr().err


def test_a_checkpoint_that_reads_otherwise_than_written_ends_the_run_before_older_ones_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run(tmp_path)
    whole = finished(config, tmp_path / "a", tmp_path / "out-a")

    @contextmanager
    def lossy(target: Path) -> Iterator[Path]:
        with publish_directory(target) as out:
            yield out
        if target.name == "step-000000009":
            os.truncate(target / "model.safetensors", 100)

    with monkeypatch.context() as patched:
        patched.setattr("reprolm.train.checkpoint.publish_directory", lossy)
        with pytest.raises(ReprolmError, match=r"model\.safetensors: has another size") as caught:
            Trainer(config, tmp_path / "b", Memory()).fit()
    assert caught.value.exit is Exit.INTEGRITY
    assert [path.name[-1] for path in sorted((tmp_path / "b").glob("step-*"))] == ["3", "6", "9"]
    assert finished(config, tmp_path / "b", tmp_path / "out-b") == whole


def test_a_run_that_passed_over_a_damaged_checkpoint_keeps_two_whole_ones(tmp_path: Path) -> None:
    config, place = run(tmp_path), tmp_path / "b"
    whole = finished(config, tmp_path / "a", tmp_path / "out-a")
    with pytest.raises(CrashError):
        Trainer(config, place, Memory(11, crash)).fit()
    os.truncate(place / "step-000000009" / "model.safetensors", 100)
    with pytest.raises(Stopped):
        Trainer(config, place, Memory(7, lambda: os.kill(os.getpid(), signal.SIGTERM))).fit()
    assert [path.name[-1] for path in sorted(place.glob("step-*"))] == ["6", "7"]
    assert finished(config, place, tmp_path / "out-b") == whole


def test_a_checkpoint_is_called_durable_after_it_was_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("reprolm.progress.LINE_EVERY_SECONDS", 0.0)
    told: list[str] = []

    def called() -> str:
        return ["", *re.findall(r"checkpoint (step=\d+ durable)", capsys.readouterr().err)][-1]

    def read(path: Path) -> Path:
        told.append(called())
        return verified(path)

    monkeypatch.setattr("reprolm.train.checkpoint.verified", read)
    Trainer(run(tmp_path), tmp_path / "a", Memory()).fit()
    assert [*told, called()] == ["", *(f"step={step} durable" for step in (3, 6, 9, 12))]


@pytest.mark.parametrize("every", [5, 6, 12])
def test_a_signal_during_the_last_save_still_ends_the_run_as_stopped(tmp_path: Path, every: int) -> None:
    config = run(tmp_path, checkpoint_every_steps=every)
    trainer = Trainer(config, tmp_path / "b", Memory(12, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    with pytest.raises(Stopped):
        trainer.fit()
    assert trainer.state.step == 12


def test_training_never_restarts_in_silence_when_all_checkpoints_are_damaged(tmp_path: Path) -> None:
    config = run(tmp_path)
    finished(config, tmp_path / "a", tmp_path / "out-a")
    for path in (tmp_path / "a").glob("step-*/manifest.json"):
        path.unlink()
    with pytest.raises(ReprolmError, match="holds only damaged checkpoints") as caught:
        Trainer(config, tmp_path / "a", Memory())
    assert caught.value.exit == Exit.INTEGRITY


SCRIPT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from tests.train.test_loop import Memory, finished, run
base = Path(sys.argv[1])
print(finished(run(base, dropout=0.1), base / sys.argv[2], base / f"out-{sys.argv[2]}"))
"""


def in_process(tmp_path: Path, name: str, fault: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"REPROLM_FAULT": fault, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), name],
        env=environment, capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip


FAULTS = ("any:1", "any:8", "any:23", "write:4", "rename:2", "sync:3", "remove:1")
FEW = ("any:8", "rename:2")


@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=[] if fault in FEW else pytest.mark.heavy) for fault in FAULTS]
)
def test_a_process_killed_inside_a_save_ends_byte_identical(tmp_path: Path, fault: str) -> None:
    whole = in_process(tmp_path, "a")
    assert whole.returncode == 0, whole.stderr
    killed = in_process(tmp_path, "b", fault)
    assert killed.returncode == -signal.SIGKILL
    resumed = in_process(tmp_path, "b")
    assert resumed.stdout.splitlines()[-1] == whole.stdout.splitlines()[-1]


def test_two_trainers_on_one_directory_are_refused(tmp_path: Path) -> None:
    from reprolm.store import locked

    with locked(tmp_path / "run"):
        code = (
            "import sys; from pathlib import Path; from reprolm.store import locked\n"
            "with locked(Path(sys.argv[1])): pass"
        )
        other = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "run")],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
    assert "is in use" in other.stderr
    assert f"process {os.getpid()}" in other.stderr
