"""Which experiments are there already, and what else works in the workspace."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from reprolm.config import read_params
from reprolm.errors import Exit, ReprolmError
from reprolm.sweep.cells import cells
from reprolm.sweep.command import _refuse_busy
from reprolm.sweep.grammar import axes
from reprolm.sweep.known import by_cell, finished, uncommitted, untracked_code
from reprolm.tracking.git import run
from tests.settings import ROOT

SEED = "seed: 1  "


class Repository:
    """One with the project's parameters, one file of code, and experiments as DVC keeps them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        shutil.copy(ROOT / "params.yaml", path)
        (path / "code.py").write_text("one\n")
        self.git("init", "-q", "-b", "main")
        self.commit()

    def git(self, *words: str) -> str:
        who = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
        return subprocess.run(
            ["git", *who, *words], cwd=self.path, check=True, capture_output=True, text=True
        ).stdout

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-qm", "work")
        return self.git("rev-parse", "HEAD").strip()

    def experiment(self, name: str, seed: int, *, code: str = "one\n") -> None:
        head = self.git("rev-parse", "HEAD").strip()
        params, source = self.path / "params.yaml", self.path / "code.py"
        params.write_text(params.read_text().replace(SEED, f"seed: {seed}  "))
        source.write_text(code)
        commit = self.commit()
        self.git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}", commit)
        self.git("reset", "-q", "--hard", head)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def cell(seed: int) -> str:
    return cells(read_params(ROOT / "params.yaml"), axes([f"seed={seed}"]))[0].id


def test_an_experiment_is_known_by_its_parameters_not_by_its_name(repository: Repository) -> None:
    repository.experiment("some-name", 5)
    found = by_cell(repository.path, finished(repository.path).items())
    assert found[cell(5)][0] == "some-name"
    assert cell(6) not in found


def test_an_experiment_of_other_code_is_not_taken_for_it(repository: Repository) -> None:
    repository.experiment("other", 5, code="two\n")
    assert set(finished(repository.path)) == {"other"}
    assert by_cell(repository.path, finished(repository.path).items()) == {}
    (repository.path / "code.py").write_text("two\n")
    assert cell(5) in by_cell(repository.path, finished(repository.path).items())
    assert uncommitted(repository.path) == ["code.py"]


def test_code_is_read_where_gits_index_holds_it_for_unchanged(repository: Repository) -> None:
    code, index = repository.path / "code.py", repository.path / ".git" / "index"
    run("config", "core.trustctime", "false", at=repository.path)
    known = code.stat()
    code.write_text("new\n")
    os.utime(code, ns=(known.st_atime_ns, known.st_mtime_ns))
    os.utime(index, (known.st_mtime + 100, known.st_mtime + 100))
    assert run("diff", "HEAD", "--name-only", at=repository.path).stdout == b""
    assert uncommitted(repository.path) == ["code.py"]


def test_code_that_git_does_not_know_is_named_because_experiments_lack_it(repository: Repository) -> None:
    (repository.path / "src").mkdir()
    (repository.path / "src" / "new.py").write_text("new\n")
    (repository.path / "notes.txt").write_text("new\n")
    assert untracked_code(repository.path) == ["src/new.py"]


def test_experiments_of_another_commit_are_not_those_of_this(repository: Repository) -> None:
    repository.experiment("before", 5)
    (repository.path / "code.py").write_text("three\n")
    repository.commit()
    assert finished(repository.path) == {}


def test_a_folder_without_git_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ReprolmError, match="git rev-parse: failed"):
        finished(tmp_path)


def test_nothing_is_queued_while_the_pipeline_works_in_the_workspace(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    (tmp_path / "here" / "dvc").write_text("sleep 60\n:\n")
    busy = subprocess.Popen(["sh", "dvc", "repro"], cwd=tmp_path / "here", start_new_session=True)
    try:
        time.sleep(0.1)
        _refuse_busy(tmp_path / "there")
        with pytest.raises(ReprolmError, match=f"process {busy.pid}: works in the workspace") as caught:
            _refuse_busy(tmp_path / "here")
        assert caught.value.exit == Exit.LOCKED
    finally:
        subprocess.run(["pkill", "-P", str(busy.pid)], check=False)
        busy.kill()
        busy.wait()
