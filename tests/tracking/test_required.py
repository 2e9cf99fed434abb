"""`REPROLM_TRACKING=required`: a store is asked before anything is computed, and never later."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

from reprolm.errors import Exit, ReprolmError
from reprolm.journal import read
from reprolm.tracking import shipper
from reprolm.tracking.destination import Destination
from reprolm.tracking.location import executions
from reprolm.tracking.mirror import Shipped, forget_failure, note_failure
from reprolm.tracking.record import JOURNAL
from reprolm.tracking.required import require
from reprolm.tracking.shipper import Shipping
from tests.serving import free_port
from tests.settings import ROOT
from tests.tracking.executions import Written
from tests.tracking.faulty import Faulty

pytestmark = pytest.mark.usefixtures("repository")


@pytest.fixture(autouse=True)
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPROLM_TRACKING", "required")
    monkeypatch.setattr(shipper, "LOOK_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(shipper, "LONGEST_PAUSE_SECONDS", 0.02)


@pytest.fixture
def server(one_server: Faulty, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    """A server with an experiment of the test's own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", one_server.address)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", str(repository))
    yield one_server
    one_server.goes("none")


@pytest.fixture
def followed(repository: Path) -> Iterator[Callable[[], Path]]:
    """Begins an execution, of which somebody sends the record."""
    begun: list[tuple[threading.Thread, Written]] = []

    def begin() -> Path:
        written = Written(repository, alive=True)
        written.start("train")
        sender = threading.Thread(target=Shipping(repository).follow, args=(written.directory,), daemon=True)
        sender.start()
        begun.append((sender, written))
        return written.directory

    yield begin
    for sender, written in begun:
        written.journal.path.unlink()
        sender.join(timeout=30)
        assert not sender.is_alive()


def refused(root: Path, directory: Path | None) -> str:
    """The line with which a stage ends."""
    with pytest.raises(ReprolmError) as caught:
        require(root, directory)
    assert caught.value.exit is Exit.NETWORK
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize("fault", ["password", "forbidden", "reset", "nonsense"])
def test_a_store_that_refuses_ends_a_stage_with_one_line(
    repository: Path, server: Faulty, followed: Callable[[], Path], fault: str
) -> None:
    server.goes(fault)
    assert refused(repository, followed()).startswith(f"{server.address}: does not take the record (got ")
    assert refused(repository, None).startswith(server.address)


def test_a_store_that_cannot_be_reached_ends_a_stage_with_one_line(
    repository: Path, followed: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address.replace("//", "//me:secret@"))
    got = f"got cannot reach {address}; want one that does, or REPROLM_TRACKING without `required`"
    assert refused(repository, followed()) == f"{address}: does not take the record ({got})"
    assert refused(repository, None) == f"{address}: does not answer (got cannot reach {address})"


def test_who_sends_and_says_nothing_is_not_waited_for_for_ever(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reprolm.tracking.required.PATIENCE_SECONDS", 0.1)
    assert "got nothing in 0 s" in refused(repository, Written(repository).directory)


def test_a_store_that_has_taken_the_beginning_is_not_asked_again(
    repository: Path, server: Faulty, followed: Callable[[], Path]
) -> None:
    directory = followed()
    require(repository, directory)
    require(repository, None)
    assert Shipped.of(directory).run
    server.goes("reset")
    require(repository, directory)


@pytest.mark.parametrize("lost", ["the run", "the whole store"])
def test_a_later_stage_of_a_run_whose_store_lost_it_goes_on(
    repository: Path, server: Faulty, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    written = Written(repository, alive=True)
    written.start("encode")
    error = MlflowException(f"{lost} is no more", error_code=RESOURCE_DOES_NOT_EXIST)
    note_failure(written.directory, error)
    assert lost in refused(repository, written.directory)
    written.end("encode", "failed", 69)
    assert lost in refused(repository, written.directory)
    written.end("encode")
    written.start("train")
    require(repository, written.directory)
    # nor is a sender waited for that begins anew
    forget_failure(written.directory)
    monkeypatch.setattr("reprolm.tracking.required.PATIENCE_SECONDS", 0.0)
    require(repository, written.directory)


@pytest.mark.parametrize("word", ["", "on", "off"])
def test_a_store_that_is_not_required_is_not_asked(
    repository: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setenv("REPROLM_TRACKING", word)
    monkeypatch.setattr("reprolm.tracking.required.connect", lambda _: pytest.fail("asked"))
    require(repository, None)
    require(repository, Written(repository).directory)


def test_a_word_that_means_nothing_is_refused(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPROLM_TRACKING", "requierd")
    with pytest.raises(ReprolmError, match=r"REPROLM_TRACKING: has a wrong value \(got requierd") as caught:
        require(repository, None)
    assert caught.value.exit is Exit.PARAMETERS


SCRIPT = """
import os, _stage
from pathlib import Path

def main(stage):
    os.environ["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:1"
    Path("computed").touch()

raise SystemExit(_stage.run("{name}", main))
"""


def performed(root: Path, name: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """A stage as a process."""
    (root / "stages").mkdir()
    shutil.copy(ROOT / "stages" / "_stage.py", root / "stages")
    shutil.copy(ROOT / "params.yaml", root)
    (root / "src").symlink_to(ROOT / "src")
    (root / "stages" / f"{name}.py").write_text(SCRIPT.format(name=name))
    command = [sys.executable, f"stages/{name}.py"]
    return subprocess.run(
        command, cwd=root, env=os.environ | more, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["check", "train"])
def test_a_stage_without_its_store_computes_nothing(repository: Path, name: str) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    done = performed(repository, name, MLFLOW_TRACKING_URI=address)
    assert done.returncode == 69
    assert [row for row in done.stderr.splitlines() if row.startswith(f"reprolm: error: {address}: does not")]
    assert not (repository / "computed").exists()
    journals = list(executions(repository).glob(f"*/{JOURNAL}"))
    ends = [read(path)[0][-1] for path in journals]
    assert [(end["kind"], end["exit"]) for end in ends] == ([] if name == "check" else [("ended", 69)])
    for path in journals:
        path.unlink()  # its sender would wait for the store


def test_a_stage_that_cannot_open_its_record_computes_nothing(repository: Path, server: Faulty) -> None:
    (repository / ".reprolm").write_text("a file")
    done = performed(repository, "train")
    assert done.returncode == 74
    where = executions(repository)
    (line,) = [row for row in done.stderr.splitlines() if row.startswith("reprolm: error: ")]
    assert line.startswith(f"reprolm: error: {where}: cannot take the record (got ")
    assert not (repository / "computed").exists()


def test_who_requires_nothing_computes_without_a_record(repository: Path) -> None:
    (repository / ".reprolm").write_text("a file")
    done = performed(repository, "train", REPROLM_TRACKING="on")
    assert done.returncode == 0, done.stderr
    assert "tracking: the record is incomplete: " in done.stderr
    assert (repository / "computed").exists()


def test_check_has_no_record_and_asks_the_store_alone(repository: Path, server: Faulty) -> None:
    (repository / ".reprolm").write_text("a file")
    done = performed(repository, "check")
    assert done.returncode == 0, done.stderr
    assert (repository / "computed").exists()


def test_a_stage_with_its_store_runs(repository: Path, to: Destination) -> None:
    done = performed(repository, "encode")
    assert done.returncode == 0, done.stderr
    assert (repository / "computed").exists()
    (directory,) = executions(repository).iterdir()
    assert to.client.get_run(Shipped.of(directory).run).data.tags["stage.encode"] in ("running", "ran")
