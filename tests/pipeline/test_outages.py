"""A training through DVC while its MLflow store goes wrong."""

import contextlib
import sqlite3

import pytest
from mlflow import MlflowClient

from tests.pipeline.test_faults import contents
from tests.pipeline.workspace import Workspace
from tests.serving import free_port
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


def test_a_pipeline_that_requires_its_store_begins_only_with_it(work: Workspace) -> None:
    work.edit({"train.learning_rate": 0.001})
    before, required = contents(work), {"REPROLM_TRACKING": "required"}
    address = f"http://127.0.0.1:{free_port()}"
    output = work.run("dvc", "repro", code=255, MLFLOW_TRACKING_URI=address, **required)
    assert f"reprolm: error: {address}: does not answer (got cannot reach {address})" in output
    assert work.ran(output) == ["check"]
    assert contents(work) == before
    ran = work.ran(work.run("dvc", "repro", **required))
    assert ran == ["check", "train", "evaluate", "sample", "report"]
    assert work.runs()[-1].info.status == "FINISHED"
