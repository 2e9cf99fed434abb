"""A training through DVC while its MLflow server goes wrong."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.pipeline.workspace import Workspace
from tests.tracking.conftest import tables
from tests.tracking.faulty import Faulty, faulty

__all__ = ["tables"]
pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def server(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    root = tmp_path_factory.mktemp("server")
    shutil.copy(tables, root / "mlflow.db")
    with faulty(root) as running:
        yield running


@pytest.mark.parametrize("fault", ["hang", "drip", "slow", "nonsense", "error", "2:reset", "2:deaf"])
def test_a_training_ends_byte_identical_and_nothing_is_lost(
    work: Workspace, server: Faulty, fault: str
) -> None:
    name = {"MLFLOW_TRACKING_URI": server.address, "MLFLOW_EXPERIMENT_NAME": str(work.path)}
    server.goes(fault)
    assert work.ran(work.run("dvc", "repro", "--force", "--single-item", "train", **name)) == ["train"]
    assert work.status() == ""  # model, numbers and curve are those of the training without a server
    server.goes("none")
    while "a process sends" in work.run("reprolm", "sync", **name):
        time.sleep(1)
    client = MlflowClient(server.address)
    experiment = client.get_experiment_by_name(str(work.path))
    (run,) = client.search_runs([experiment.experiment_id])
    steps = [point.step for point in client.get_metric_history(run.info.run_id, "train/loss")]
    assert sorted(steps) == list(range(2, 41, 2))
