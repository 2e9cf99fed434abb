"""The store goes wrong in every way; afterwards the run is as if nothing had been."""

import functools
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reprolm.errors import Exit, ReprolmError
from reprolm.tracking import shipper
from reprolm.tracking.destination import Destination
from reprolm.tracking.mirror import Shipped, pending
from reprolm.tracking.shipper import Shipping, sync
from tests.settings import ROOT
from tests.tracking.executions import Written
from tests.tracking.faulty import FAULTS, Faulty
from tests.tracking.runs import picture

POINTS = 60
# a server that is there now and then may answer before a test has heard that it does not
IS_THERE_AT_TIMES = ("none", "slow", "drip", "flapping", "old")


@pytest.fixture
def server(one_server: Faulty, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    """A server with an experiment of the test's own; it is waited for a second rather than five."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", one_server.address)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", str(repository))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    yield one_server
    one_server.goes("none")


def back(server: Faulty, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is well again; on a busy machine that may take more than a second to be seen."""
    server.goes("none")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipper, "LOOK_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(shipper, "LONGEST_PAUSE_SECONDS", 0.02)


def whole(root: Path, written: Written) -> None:
    """The run holds what the journal holds, once."""
    (run,) = picture(root)
    assert [step for step, _, _ in run["series"]["train/loss"]] == list(range(1, POINTS + 1))
    assert [value for _, value, _ in run["series"]["train/loss"]] == [4 / n for n in range(1, POINTS + 1)]
    assert run["files"] == ["plots/train.csv", "samples.json"]
    assert run["data"] == [("corpus/train", ("ab" * 32)[:36])]
    assert run["status"] == "FINISHED"
    (model,) = run["models"]
    assert (model["status"], model["tags"]["digest.model"]) == ("READY", "d" * 64)
    assert pending(written.directory) == 0


def refused(root: Path, match: str) -> None:
    """The store takes nothing, and a line says why."""
    with pytest.raises(ReprolmError, match=match) as caught:
        sync(root)
    assert caught.value.exit is Exit.NETWORK
    assert "\n" not in str(caught.value)


SYNC = """
import sys
from pathlib import Path
from reprolm.errors import guarded
from reprolm.tracking.shipper import sync
{before}
sys.exit(guarded(lambda: sync(Path(sys.argv[1])) and None))
"""


def refused_apart(root: Path, before: str = "") -> str:
    """The same in a process of its own, after it has done something; the line."""
    command = [sys.executable, "-c", SYNC.format(before=before), str(root)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == Exit.NETWORK, done.stderr
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in IS_THERE_AT_TIMES])
def test_a_server_that_goes_wrong_is_one_line_and_what_it_lacks_is_sent_when_it_is_back(
    repository: Path, server: Faulty, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Written(repository)
    written.train(POINTS)
    server.goes(fault)
    refused(repository, f"{server.address}: does not take the record")
    assert pending(written.directory) > 0
    back(server, monkeypatch)
    sync(repository)
    whole(repository, written)


@pytest.mark.parametrize("fault", ["reset", "deaf", "cut", "error", "nonsense", "flapping"])
def test_a_server_that_comes_and_goes_loses_nothing_and_doubles_nothing(
    repository: Path, server: Faulty, fault: str, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reprolm.tracking.mirror.MOST_RECORDS_A_TIME", 8)
    written = Written(repository)
    written.train(POINTS)
    server.goes(fault if fault == "flapping" else f"3:{fault}")
    Shipping(repository).follow(written.directory)
    back(server, monkeypatch)
    whole(repository, written)


@pytest.mark.heavy
def test_a_server_that_is_slower_than_it_is_waited_for_at_first_gets_everything(
    repository: Path, server: Faulty, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Written(repository)
    written.train(POINTS)
    server.goes("slow")
    Shipping(repository).follow(written.directory)
    back(server, monkeypatch)
    whole(repository, written)


def test_a_server_that_dies_during_a_training_gets_the_rest_when_it_is_back(
    repository: Path, server: Faulty, impatient: None
) -> None:
    written = Written(repository, alive=True)
    written.start("train")
    following = threading.Thread(target=Shipping(repository).follow, args=(written.directory,), daemon=True)
    following.start()
    for step in range(1, POINTS + 1):
        written.add("point", stage="train", step=step, values={"train/loss": 4 / step})
        if step % 20 == 0:
            server.goes("reset" if step == 20 else "none")
            time.sleep(0.2)
    written.end("train")
    written.start("report")
    written.end("report")
    while Shipped.of(written.directory).status == "RUNNING" and following.is_alive():
        time.sleep(0.05)
    (run,) = picture(repository)
    assert run["status"] == "FINISHED"
    assert [step for step, _, _ in run["series"]["train/loss"]] == list(range(1, POINTS + 1))
    written.journal.path.unlink()
    following.join(timeout=30)
    assert not following.is_alive()


FULL = """
import resource
store = Path(sys.argv[1]) / "mlflow.db"
resource.setrlimit(resource.RLIMIT_FSIZE, (store.stat().st_size, resource.RLIM_INFINITY))
"""


def test_a_store_on_a_full_disk_gets_everything_when_there_is_room(repository: Path) -> None:
    written = Written(repository)
    written.train(POINTS)
    assert "does not take the record" in refused_apart(repository, FULL)
    sync(repository)
    whole(repository, written)


@pytest.mark.heavy
def test_a_store_that_another_process_holds_gets_everything_when_it_is_free(
    repository: Path, to: Destination, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Written(repository)
    written.train(POINTS)
    with sqlite3.connect(repository / "mlflow.db", isolation_level=None) as holder:
        monkeypatch.setattr(sqlite3.dbapi2, "connect", functools.partial(sqlite3.dbapi2.connect, timeout=0))
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ReprolmError, match="locked"):
            sync(repository)
        holder.execute("COMMIT")
    sync(repository)
    whole(repository, written)


def test_a_server_that_speaks_no_tls_is_one_line(
    repository: Path, server: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Written(repository)
    written.train(POINTS)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address.replace("http:", "https:"))
    refused(repository, "does not take the record")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    back(server, monkeypatch)
    sync(repository)
    whole(repository, written)


def test_a_store_that_may_only_be_read_keeps_nothing_and_loses_nothing(
    repository: Path, to: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Written(repository)
    written.train(POINTS)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///file:{repository / 'mlflow.db'}?mode=ro&uri=true")
    monkeypatch.chdir(repository)
    refused(repository, "readonly database")
    # the folders are MLflow's, which takes the address for a path
    assert not [path for path in (repository / "file:").rglob("*") if path.is_file()]
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    sync(repository)
    whole(repository, written)


def test_a_store_of_a_newer_mlflow_is_left_alone(repository: Path, to: Destination) -> None:
    written = Written(repository)
    written.train(POINTS)
    with sqlite3.connect(repository / "mlflow.db") as store:
        ((known,),) = store.execute("select version_num from alembic_version").fetchall()
        store.execute("update alembic_version set version_num = 'f00f00f00f00'")
    # a process that has looked at the store's version does not look again
    assert "f00f00f00f00" in refused_apart(repository)
    with sqlite3.connect(repository / "mlflow.db") as store:
        store.execute("update alembic_version set version_num = ?", (known,))
    sync(repository)
    whole(repository, written)
