"""A training through DVC while its MLflow store goes wrong."""

import contextlib
import sqlite3

import pytest
from mlflow import MlflowClient

from tests.pipeline.workspace import Workspace
from tests.tracking.conftest import one_server, tables
from tests.tracking.faulty import Faulty

__all__ = ["one_server", "tables"]
pytestmark = pytest.mark.heavy


@pytest.mark.parametrize(
    "fault", ["hang", "drip", "slow", "nonsense", "error", "flapping", "2:reset", "2:deaf"]
)
def test_a_training_ends_byte_identical_and_nothing_is_lost(
    work: Workspace, one_server: Faulty, fault: str
) -> None:
    name = {"MLFLOW_TRACKING_URI": one_server.address, "MLFLOW_EXPERIMENT_NAME": str(work.path)}
    one_server.goes(fault)
    assert work.ran(work.run("dvc", "repro", "--force", "--single-item", "train", **name)) == ["train"]
    assert work.status() == ""  # model, numbers and curve are those of the training without a server
    one_server.goes("none")
    work.sync(**name)
    client = MlflowClient(one_server.address)
    experiment = client.get_experiment_by_name(str(work.path))
    (run,) = client.search_runs([experiment.experiment_id])
    steps = [point.step for point in client.get_metric_history(run.info.run_id, "train/loss")]
    assert sorted(steps) == list(range(2, 41, 2))


def test_a_training_whose_database_is_held_ends_byte_identical_and_nothing_is_lost(work: Workspace) -> None:
    with contextlib.closing(sqlite3.connect(work.path / "mlflow.db", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert work.ran(work.run("dvc", "repro", "--force", "--single-item", "train")) == ["train"]
        assert work.status() == ""
    *_, run = work.runs()
    steps = [point.step for point in work.client().get_metric_history(run.info.run_id, "train/loss")]
    assert sorted(steps) == list(range(2, 41, 2))
    assert run.data.tags["stage.train"] == "ran"
