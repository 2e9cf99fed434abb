"""One run of the pipeline that many tests begin from."""

from pathlib import Path

import pytest

from tests.pipeline import workspace
from tests.pipeline.workspace import Workspace


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A repository after `dvc repro` and a commit; tests copy or clone it and leave it alone."""
    made = workspace.new(tmp_path_factory.mktemp("pipeline") / "repository")
    made.output = made.run("dvc", "repro")  # type: ignore[attr-defined]
    made.commit("The results")
    return made


@pytest.fixture
def work(finished: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the finished repository, to be changed."""
    return finished.copied(tmp_path / "work")
