"""What a run says of the parameters that it changed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from reprolm.config import read_params
from reprolm.journal import read
from reprolm.tracking.changed import changed, committed
from reprolm.tracking.record import JOURNAL, Record
from reprolm.tracking.translation import Translation
from tests.settings import ROOT


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose params.yaml is committed, as the working directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "params.yaml"], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], check=True)
    return tmp_path


def opened(root: Path) -> Translation:
    """What a run of the parameters that lie there is known by."""
    record = Record(root, "download", read_params(root / "params.yaml"))
    assert record.directory is not None
    records, _ = read(record.directory / JOURNAL)
    translation = Translation(record.directory)
    translation.tags = translation.take(records).tags  # type: ignore[attr-defined]
    return translation


def test_a_run_names_what_differs_from_the_last_commit(repository: Path) -> None:
    path = repository / "params.yaml"
    path.write_text(
        path.read_text().replace("seed: 1  ", "seed: 7  ").replace("position: rope", "position: none")
    )
    run = opened(repository)
    assert run.tags["changed"] == "seed=7, model.position=none"  # type: ignore[attr-defined]
    assert run.description() == "Changed: `seed=7, model.position=none`\n"


def test_a_run_of_the_committed_parameters_changed_nothing(repository: Path) -> None:
    path = repository / "params.yaml"
    path.write_text(path.read_text().replace("theta: 10000.0", "theta: 1.0e4   # the same"))
    run = opened(repository)
    assert "changed" not in run.tags  # type: ignore[attr-defined]
    assert run.description() == ""


def test_without_git_nothing_is_known_to_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert committed() == {}


def test_a_change_of_type_alone_is_none() -> None:
    assert changed({"a": 1}, {"a": 1.0}) == ""
