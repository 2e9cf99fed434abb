from pathlib import Path

import pytest

from reprolm.errors import Exit, ReprolmError
from reprolm.tracking.location import repository as wanted
from reprolm.tracking.location import root


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    (tmp_path / "repository" / ".dvc").mkdir(parents=True)
    return tmp_path / "repository"


def workspace(repository: Path, name: str) -> Path:
    path = repository / ".dvc" / "tmp" / "exps" / name
    (path / ".dvc").mkdir(parents=True)
    return path


def test_a_repository_is_its_own_root_also_from_below(repository: Path) -> None:
    below = repository / "src" / "deep"
    below.mkdir(parents=True)
    assert root(repository) == root(below) == repository


@pytest.mark.parametrize("name", ["tmpabc", "standalone/tmpabc"])
def test_an_experiment_records_in_the_original_repository(repository: Path, name: str) -> None:
    assert root(workspace(repository, name)) == repository


def test_a_dvc_root_of_another_repository_misleads_nobody(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    (other / ".dvc").mkdir(parents=True)
    monkeypatch.setenv("DVC_ROOT", str(other))
    monkeypatch.setenv("DVC_STAGE", "train")
    assert root(repository) == repository
    assert root(workspace(repository, "tmpabc")) == repository


def test_a_repository_around_this_one_is_not_taken_for_it(repository: Path) -> None:
    inner = repository / "projects" / "inner"
    (inner / ".dvc").mkdir(parents=True)
    assert root(inner) == inner
    assert root(workspace(inner, "tmpabc")) == inner


def test_workspaces_that_lie_on_another_disk_are_found_by_dvc_root(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk").mkdir()
    (repository / ".dvc" / "tmp").symlink_to(tmp_path / "disk")
    copy = workspace(repository, "tmpabc")
    assert root(copy) == copy.resolve()
    monkeypatch.setenv("DVC_ROOT", str(repository))
    assert root(copy) == repository


def test_without_dvc_the_working_directory_is_the_root(tmp_path: Path) -> None:
    assert root(tmp_path) == tmp_path


def test_a_command_wants_a_repository(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    assert wanted() == repository
    monkeypatch.chdir(repository.parent)
    with pytest.raises(ReprolmError, match="is in no repository") as caught:
        wanted()
    assert caught.value.exit is Exit.MISSING
