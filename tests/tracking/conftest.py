"""MLflow stores in which the tables are made already: making them takes seconds."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reprolm.tracking.destination import Destination, connect
from tests.tracking.faulty import Faulty, faulty

SETTINGS = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "DVC_ROOT", "DVC_EXP_NAME", "DVC_STAGE")


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store."""
    pytest.importorskip("mlflow")
    root = tmp_path_factory.mktemp("tables")
    with pytest.MonkeyPatch.context() as patch:
        for name in SETTINGS:
            patch.delenv(name, raising=False)
        patch.setenv("MLFLOW_EXPERIMENT_NAME", "tables")
        connect(root)
    return root / "mlflow.db"


@pytest.fixture(scope="module")
def one_server(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """A server that can go wrong, with an empty store."""
    root = tmp_path_factory.mktemp("server")
    shutil.copy(tables, root / "mlflow.db")
    with faulty(root) as running:
        yield running


@pytest.fixture
def repository(tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with an empty store."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".dvc").mkdir()
    shutil.copy(tables, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture
def to(repository: Path) -> Destination:
    """A client of that store."""
    return connect(repository)
