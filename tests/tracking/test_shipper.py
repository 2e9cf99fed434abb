import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reprolm.errors import Exit, ReprolmError
from reprolm.store import locked, patiently
from reprolm.tracking import shipper
from reprolm.tracking.destination import Destination
from reprolm.tracking.location import executions
from reprolm.tracking.mirror import Shipped, pending
from reprolm.tracking.shipper import Shipping, flush, outstanding, sync
from tests.serving import free_port
from tests.settings import ROOT
from tests.tracking.executions import Written
from tests.tracking.runs import runs


@pytest.fixture
def tree(repository: Path) -> Path:
    """A repository with a closing stage that does nothing, and its own copy of the code."""
    shutil.copytree(ROOT / "src", repository / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (repository / "stages").mkdir()
    shutil.copy(ROOT / "stages" / "_stage.py", repository / "stages")
    shutil.copy(ROOT / "params.yaml", repository)
    body = "import _stage\nraise SystemExit(_stage.run('report', lambda stage: stage.tag('mark', 'é')))\n"
    (repository / "stages" / "report.py").write_text(body)
    return repository


def close(tree: Path, **more: str) -> str:
    """Runs the closing stage; what it says."""
    kept = {key: value for key, value in os.environ.items() if key != "REPROLM_TRACKING"}
    command = [sys.executable, "stages/report.py"]
    done = subprocess.run(command, cwd=tree, env=kept | more, capture_output=True, text=True, check=True)
    return done.stderr


def directory(root: Path) -> Path:
    (found,) = executions(root).iterdir()
    return found


def wait_for_end(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not Shipped.of(path).over and time.monotonic() < deadline:
        time.sleep(0.1)


def test_a_run_is_complete_when_its_closing_stage_ends(tree: Path, to: Destination) -> None:
    said = close(tree)
    assert "pending" not in said
    (run,) = runs(to)
    assert (run.info.status, run.data.tags["mark"]) == ("FINISHED", "é")
    assert run.data.params["model.position"] == "rope"
    wait_for_end(directory(tree))
    with locked(directory(tree), wait=patiently):
        assert Shipped.of(directory(tree)).over


def test_a_store_that_does_not_answer_costs_a_stage_nothing_and_loses_nothing(
    tree: Path, to: Destination
) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    said = close(tree, MLFLOW_TRACKING_URI=dead)
    records = pending(directory(tree))
    assert f"tracking: {records} records pending (cannot reach {dead}); run: reprolm sync\n" in said
    assert runs(to) == []
    with pytest.raises(ReprolmError) as caught:
        sync(tree)
    (line,) = str(caught.value).splitlines()
    assert caught.value.exit is Exit.NETWORK
    assert line.startswith(f"{directory(tree).name}: is held by process ")
    assert (
        f"cannot reach its store (got cannot reach {dead}; want reprolm sync again in about a minute" in line
    )
    holder = (directory(tree) / ".lock").read_text().split()[1]
    os.kill(int(holder), signal.SIGKILL)
    with locked(directory(tree), wait=patiently):
        pass
    assert sync(tree) == records
    (run,) = runs(to)
    assert (run.info.status, run.data.tags["mark"]) == ("FINISHED", "é")


FIRST_USERS = """
import os, sys
from pathlib import Path
import mlflow.store.tracking.sqlalchemy_store
from reprolm.tracking.destination import connect
children = []
for number in range(int(sys.argv[2])):
    child = os.fork()
    if child == 0:
        to = connect(Path(sys.argv[1]) / str(number))
        to.client.create_run(to.experiment)
        os._exit(0)
    children.append(child)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


@pytest.mark.parametrize(
    ("users", "rounds"), [(4, 1), pytest.param(8, 20, marks=pytest.mark.heavy)], ids=["4", "8"]
)
def test_first_users_of_a_new_store_do_not_meet_in_whichever_repository_they_are(
    tmp_path: Path, users: int, rounds: int
) -> None:
    for number in range(rounds):
        root = tmp_path / str(number)
        of_all = {"MLFLOW_TRACKING_URI": f"sqlite:///{root}/mlflow.db"}
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")} | of_all
        command = [sys.executable, "-c", FIRST_USERS, str(root), str(users)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        assert (root / "mlflow.db").is_file()


def test_what_earlier_executions_left_is_sent_and_what_lives_is_left_alone(
    repository: Path, to: Destination
) -> None:
    killed, finished, living = Written(repository), Written(repository), Written(repository, alive=True)
    killed.start("train")
    finished.train(2)
    assert Shipping(repository).sweep()
    assert sorted(run.info.status for run in runs(to)) == ["FINISHED", "KILLED"]
    assert outstanding(repository) == [living.directory]


def test_old_executions_are_removed_when_they_are_sent(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipper, "KEPT_EXECUTIONS", 1)
    written = [Written(repository) for _ in range(3)]
    living = Written(repository, alive=True)
    Shipping(repository).sweep()
    assert [each.directory.is_dir() for each in written] == [False, False, True]
    assert living.directory.is_dir()


def test_what_another_process_sends_is_left_to_it(repository: Path, to: Destination) -> None:
    written = Written(repository)
    with locked(written.directory):
        assert sync(repository) == 0
    assert runs(to) == []
    assert sync(repository) == 1
    assert sync(repository) == 0


def test_what_a_process_holds_while_its_run_goes_on_is_told_with_the_store_that_it_cannot_reach(
    repository: Path, to: Destination, capsys: pytest.CaptureFixture[str]
) -> None:
    stuck, other = Written(repository, alive=True), Written(repository)
    Shipped(error="cannot reach http://127.0.0.1:9").save(stuck.directory)
    with locked(stuck.directory), pytest.raises(ReprolmError) as caught:
        sync(repository)
    assert caught.value.exit is Exit.NETWORK
    assert "http://127.0.0.1:9; want reprolm sync again about a minute after its end" in str(caught.value)
    assert capsys.readouterr().out == "tracking: 1 records sent\n"
    assert pending(other.directory) == 0


def test_what_an_earlier_process_could_not_reach_is_not_said_of_the_one_that_follows(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, seen = Written(repository), list[str]()
    Shipped(error="cannot reach http://127.0.0.1:9").save(written.directory)

    def away(root: Path) -> Destination:
        seen.append(Shipped.of(written.directory).error)
        raise ConnectionError("refused")

    Clock(monkeypatch)
    monkeypatch.setattr(shipper, "reach", away)
    Shipping(repository).follow(written.directory)
    assert seen[:2] == ["", "ConnectionError: refused"]


def test_a_store_that_cannot_be_reached_is_named(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = Written(repository)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{free_port()}")
    with pytest.raises(ReprolmError, match=r"http://.*does not take the record") as caught:
        sync(repository)
    assert caught.value.exit is Exit.NETWORK
    assert "secret" not in str(caught.value)
    assert "secret" not in Shipped.of(written.directory).error


class Clock:
    """A time that passes only in sleep."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now, self.pauses = 0.0, list[float]()
        patch.setattr(shipper.time, "monotonic", lambda: self.now)
        patch.setattr(shipper.time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)


def test_a_shipper_pauses_longer_and_longer_and_at_last_gives_up(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(root: Path) -> Destination:
        raise ConnectionError("refused")

    written, clock = Written(repository), Clock(monkeypatch)
    monkeypatch.setattr(shipper, "reach", down)
    Shipping(repository).follow(written.directory)
    assert max(clock.pauses) <= shipper.LONGEST_PAUSE_SECONDS
    assert clock.pauses[0] < clock.pauses[2] < clock.pauses[4]
    assert shipper.GIVE_UP_SECONDS <= clock.now < 3 * shipper.GIVE_UP_SECONDS
    assert "refused" in Shipped.of(written.directory).error


def test_a_shipper_without_a_password_leaves_an_execution_that_ended_to_whoever_has_one(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class RefusedError(Exception):
        error_code = "UNAUTHENTICATED"

    def refuse(root: Path) -> Destination:
        raise RefusedError("401")

    written, clock = Written(repository), Clock(monkeypatch)
    monkeypatch.setattr(shipper, "reach", refuse)
    Shipping(repository).follow(written.directory)
    assert len(clock.pauses) == shipper.REFUSALS - 1
    assert "401" in Shipped.of(written.directory).error


def test_a_shipper_comes_back_with_the_store(
    repository: Path, to: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, answers = Written(repository), [ConnectionError("refused"), ConnectionError("refused")]
    written.train(2)
    clock, reach = Clock(monkeypatch), shipper.reach

    def flapping(root: Path) -> Destination:
        if answers:
            raise answers.pop()
        return reach(root)

    monkeypatch.setattr(shipper, "reach", flapping)
    Shipping(repository).follow(written.directory)
    assert runs(to)[0].info.status == "FINISHED"
    assert Shipped.of(written.directory).error == ""
    assert len(clock.pauses) >= 2


def test_a_shipper_ends_when_its_directory_vanishes(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Written(repository, alive=True)
    monkeypatch.setattr(shipper.time, "sleep", lambda _: shutil.rmtree(written.directory))
    Shipping(repository).follow(written.directory)
    assert not written.directory.exists()


def test_waiting_for_the_end_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written, clock = Written(tmp_path), Clock(monkeypatch)
    flush(written.directory)
    assert capsys.readouterr().err == "tracking: 1 records pending; run: reprolm sync\n"
    assert shipper.FLUSH_SECONDS <= clock.now <= shipper.FLUSH_SECONDS + 1


def test_sending_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPROLM_TRACKING", raising=False)
    assert shipper.wanted()
    monkeypatch.setenv("REPROLM_TRACKING", "off")
    assert not shipper.wanted()


def test_sync_goes_on_after_a_run_that_the_store_refuses_and_says_so_at_the_end(
    repository: Path, to: Destination, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class RefusedError(Exception):
        error_code = "INVALID_PARAMETER_VALUE"

    names = [f"host-1-{born}" for born in (1000, 2000, 3000)]
    for name in names:
        place = executions(repository) / name
        place.mkdir(parents=True)
        (place / "journal.jsonl").touch()
    tried: list[str] = []

    def once(self: Shipping, directory: Path) -> None:
        tried.append(directory.name)
        if directory.name == names[1]:
            raise RefusedError("no")

    monkeypatch.setattr(Shipping, "once", once)
    with pytest.raises(ReprolmError, match=r"does not take the record \(got no\)") as caught:
        sync(repository)
    assert caught.value.exit is Exit.NETWORK
    assert tried == names[::-1]
    assert "records sent" in capsys.readouterr().out


def test_a_deleted_experiment_is_restored_for_the_runs_that_come_then(tree: Path, to: Destination) -> None:
    to.client.delete_experiment(to.experiment)
    try:
        assert "pending" not in close(tree)
        assert len(runs(to)) == 1
    finally:
        if to.client.get_experiment(to.experiment).lifecycle_stage == "deleted":
            to.client.restore_experiment(to.experiment)
