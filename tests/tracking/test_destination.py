import contextlib
import os
import sqlite3
from pathlib import Path

import pytest
from mlflow.entities import Metric

from reprolm.errors import Exit, ReprolmError
from reprolm.store import locked
from reprolm.tracking import destination
from reprolm.tracking.destination import Destination, asking, connect, experiment, survey, uri
from tests.tracking.conftest import SETTINGS


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_store_lies_in_the_repository_unless_the_environment_names_another(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert uri(bare) == f"sqlite:///{bare}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://example.com")
    assert uri(bare) == "https://example.com"


def test_the_experiment_is_that_of_the_environment_then_of_the_file_then_ours(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert experiment(bare) == "reprolm"
    (bare / "reprolm.toml").write_text('[mlflow]\nexperiment = "näs"\n')
    assert experiment(bare) == "näs"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "other")
    assert experiment(bare) == "other"


@pytest.mark.parametrize("content", ["[mlflow", "mlflow = 3"])
def test_a_file_that_is_not_right_is_named(bare: Path, content: str) -> None:
    (bare / "reprolm.toml").write_text(content)
    with pytest.raises(ReprolmError, match=r"reprolm\.toml: is not right") as caught:
        experiment(bare)
    assert caught.value.exit is Exit.PARAMETERS


def test_what_the_user_says_about_requests_stands(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "90")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    connect(repository)
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "90"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"


def test_files_of_runs_lie_in_the_repository_wherever_the_process_works(
    repository: Path,
    to: Destination,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    again = connect(repository)
    assert again.experiment == to.experiment
    run = again.client.create_run(again.experiment)
    again.client.log_text(run.info.run_id, "text", "a.txt")
    assert [path.name for path in (repository / "mlruns").rglob("*.txt")] == ["a.txt"]
    assert not list(elsewhere.iterdir())


class WaitedError(Exception):
    """Somebody else makes the tables."""


def test_two_repositories_do_not_make_the_tables_of_one_store_at_once(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def waits(holder: str) -> None:
        raise WaitedError(holder)

    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri(repository))
    monkeypatch.setattr(destination, "patiently", waits)
    other = tmp_path_factory.mktemp("other")
    connect(other)
    with locked(repository / "mlflow.db.lock"), pytest.raises(WaitedError, match="process"):
        connect(other)
    assert not list(other.iterdir())


def of_a_newer_mlflow(path: Path) -> None:
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE alembic_version (version_num TEXT)")
        made.execute("INSERT INTO alembic_version VALUES ('ffffffffffff')")
        made.execute("CREATE TABLE experiments (name TEXT)")


@pytest.mark.parametrize("address", ["http://me:secret@127.0.0.1:9", "foo://x", "sqlite:///{}/text", "sqlite:///{}/new",
                                     "sqlite:///{}/none/mlflow.db"])  # fmt: skip
def test_a_store_that_cannot_be_asked_is_one_line(
    bare: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    (bare / "text").write_text("no database" * 1000)
    of_a_newer_mlflow(bare / "new")
    if "none" in address:
        (bare / "none").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address.format(bare))
    with pytest.raises(ReprolmError, match=r"^(http|foo|sqlite):.*: does not answer|refuses") as caught:
        connect(bare)
    assert caught.value.exit is Exit.NETWORK
    assert len(str(caught.value).splitlines()) == 1
    assert "secret" not in str(caught.value)


def test_a_fault_of_our_own_is_not_taken_for_one_of_the_store(bare: Path) -> None:
    with pytest.raises(ZeroDivisionError), asking(bare):
        raise ZeroDivisionError


def test_a_store_that_was_surveyed_finds_a_curve_by_its_run(repository: Path, to: Destination) -> None:
    for _ in range(3):
        run = to.client.create_run(to.experiment).info.run_id
        for key in ("train/loss", "validation/loss"):
            to.client.log_batch(run, [Metric(key, 1.0, step, step) for step in range(300)])
    asked = "explain query plan select value from metrics where key = 'train/loss' and run_uuid = 'x'"

    def plan() -> str:
        with contextlib.closing(sqlite3.connect(repository / "mlflow.db")) as store:
            return str(store.execute(asked).fetchall())

    assert "autoindex" in plan(), "this test cannot fail"
    survey(repository)
    assert "index_metrics_run_uuid" in plan()
