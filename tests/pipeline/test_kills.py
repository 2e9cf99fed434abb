"""Kills at any time, of any process, again and again, through DVC."""

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.pipeline.test_faults import contents
from tests.pipeline.workspace import Workspace

KILLS, LATEST_SECONDS = 20, 12.0
SLOWER = {"train.steps": 400, "train.validate_every_steps": 50, "train.checkpoint_every_steps": 20}
"""A training in which kills find something to interrupt."""


def stage_below(process: "subprocess.Popen[str]") -> int | None:
    """The stage that a `dvc repro` is at, if it is at one."""
    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            if "python" in child.name() and any(word.startswith("stages/") for word in child.cmdline()):
                return child.pid
    return None


def killed(process: "subprocess.Popen[str]", victim: str, after: float) -> bool:
    """Kills a part of a `dvc repro` at a time; whether that ended it before its own end."""
    try:
        process.wait(after)
        wanted: tuple[int, ...] = (0,)
    except subprocess.TimeoutExpired:
        wanted = (0, 255, -signal.SIGKILL)  # 0: it was at its end
        number: int | None = process.pid
        while victim == "stage" and process.poll() is None and not (number := stage_below(process)):
            time.sleep(0.01)
        with suppress(ProcessLookupError):  # it may just be gone
            (os.killpg if victim == "group" else os.kill)(number or process.pid, signal.SIGKILL)
    # a stage that DVC left alone holds its output still, and dies
    output, _ = process.communicate(timeout=120)
    assert process.returncode in wanted, output
    return process.returncode != 0


@pytest.mark.heavy
def test_twenty_kills_end_in_the_lock_and_the_outputs_of_a_run_that_had_none(
    finished: Workspace, tmp_path: Path
) -> None:
    whole = finished.copied(tmp_path / "whole")
    whole.edit(SLOWER)
    whole.run("dvc", "repro")
    chance, rounds = random.Random(20), 0
    kills: list[tuple[str, float]] = []
    while len(kills) < KILLS:
        clone = finished.clone(tmp_path / f"clone-{rounds}")
        clone.edit(SLOWER)
        (clone.path / "dvc.lock").unlink()
        while True:
            last = len(kills) == KILLS
            victim, after = chance.choice(("stage", "dvc", "group")), chance.uniform(0, LATEST_SECONDS)
            if not killed(clone.start("dvc", "repro"), victim, 600 if last else after):
                break
            kills.append((victim, round(after, 1)))
            print(rounds, *kills[-1])
        rounds += 1
        assert (clone.path / "dvc.lock").read_bytes() == (whole.path / "dvc.lock").read_bytes()
        assert contents(clone) == contents(whole)
        assert clone.run("dvc", "status").strip() == "Data and pipelines are up to date."
