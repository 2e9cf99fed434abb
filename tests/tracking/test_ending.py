import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from reprolm.journal import read
from reprolm.store import publish_file
from reprolm.tracking.destination import Destination
from reprolm.tracking.ending import Ending, tells
from reprolm.tracking.mirror import Mirror
from reprolm.tracking.record import JOURNAL
from reprolm.tracking.translation import Translation
from tests.tracking.executions import Written
from tests.tracking.runs import runs
from tests.tracking.test_completion import locked, put

DVC = """stages:
  train:
    cmd: train
    outs: [models/model, '${place}/x']
    metrics: [{metrics/train.json: {cache: false}}]
"""
told = pytest.mark.skipif(not tells(), reason="this system tells nobody but the parent how a process ended")


@pytest.fixture
def dvc() -> Iterator["subprocess.Popen[str]"]:
    """A process that ends as it is told, by a line of shell."""
    command = ["bash", "-c", "read -r line; eval $line"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()


def ended(dvc: "subprocess.Popen[str]", root: Path, to: Destination, how: str) -> tuple[str, str]:
    """Status and error of the run whose dvc did a stage, and then ended so."""
    born = psutil.Process(dvc.pid).create_time()
    written = Written(root, command="dvc repro", process=(dvc.pid, born))
    ending = Ending(written.directory)
    written.train(1)
    assert not ending.note()
    dvc.communicate(how)
    ending.note()
    mirror = Mirror(written.directory, to)
    while not mirror.ship():
        assert not ending.note()
    (run,) = runs(to)
    return run.info.status, run.data.tags.get("error", "")


@told
def test_a_dvc_that_ends_with_an_error_of_its_own_fails_its_run(
    dvc: "subprocess.Popen[str]", repository: Path, to: Destination
) -> None:
    found = ended(dvc, repository, to, "exit 255")
    assert found == ("FAILED", "dvc ended with exit code 255 after train")


@told
@pytest.mark.parametrize("how", ["kill -9 $$", "kill -15 $$", "exit 252"])
def test_a_dvc_that_was_killed_or_interrupted_leaves_a_run_that_is_killed(
    dvc: "subprocess.Popen[str]", repository: Path, to: Destination, how: str
) -> None:
    put(repository, locked(train="2"))
    assert ended(dvc, repository, to, how) == ("KILLED", "")


def test_an_output_that_dvc_misses_is_named(
    dvc: "subprocess.Popen[str]", repository: Path, to: Destination
) -> None:
    publish_file(repository / "dvc.yaml", DVC)
    publish_file(repository / "metrics" / "train.json", "{}")
    status, error = ended(dvc, repository, to, "exit 255")
    assert status == "FAILED"
    assert error.startswith("dvc ended")
    assert error.endswith("after train; it left no models/model")


def test_the_error_of_a_stage_says_more_than_that_of_its_dvc(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.start("train")
    written.end("train", "failed", 72, "step 3: the loss is not finite")
    written.add("over", exit=255, error="dvc ended with exit code 255 after train")
    parcel = Translation(written.directory).take(read(written.directory / JOURNAL)[0])
    assert (parcel.tags["exit"], parcel.tags["error"]) == ("72", "step 3: the loss is not finite")
