"""DVC's list of who uses which output, after a kill."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reprolm import rwlock
from reprolm.errors import Exit, ReprolmError


@pytest.fixture
def zombie() -> Iterator[int]:
    """A process that has ended, and that its parent has not reaped yet."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    yield child.pid
    child.wait()


def listed(root: Path, pid: int) -> Path:
    path = root / ".dvc" / "tmp" / "rwlock"
    path.parent.mkdir(parents=True)
    mine, theirs = ({"pid": each, "cmd": "dvc repro"} for each in (os.getpid(), pid))
    path.write_text(json.dumps({"write": {"/a": theirs, "/b": mine}, "read": {"/c": [theirs], "/d": [mine]}}))
    return path


def test_what_a_process_that_has_ended_held_is_freed_and_the_rest_is_not(tmp_path: Path, zombie: int) -> None:
    path = listed(tmp_path, zombie)
    assert str(zombie) in rwlock.problem(tmp_path)
    rwlock.unlock(tmp_path)
    assert rwlock.problem(tmp_path) == ""
    mine = {"pid": os.getpid(), "cmd": "dvc repro"}
    assert json.loads(path.read_text()) == {"write": {"/b": mine}, "read": {"/d": [mine]}}


def test_a_process_that_works_is_no_problem(tmp_path: Path) -> None:
    listed(tmp_path, os.getpid())
    assert rwlock.problem(tmp_path) == ""


def test_a_list_that_was_cut_is_removed(tmp_path: Path) -> None:
    path = listed(tmp_path, os.getpid())
    path.write_text("{")
    assert "cannot be read" in rwlock.problem(tmp_path)
    rwlock.unlock(tmp_path)
    assert not path.exists()
    assert rwlock.problem(tmp_path) == ""


def test_a_list_that_was_cut_stays_while_dvc_works(tmp_path: Path) -> None:
    path = listed(tmp_path, os.getpid())
    path.write_text("{")
    program = tmp_path / "dvc"
    program.write_text("input()")
    with subprocess.Popen([sys.executable, program], cwd=tmp_path, stdin=subprocess.PIPE) as working:
        with pytest.raises(ReprolmError, match=f"process {working.pid}") as caught:
            rwlock.unlock(tmp_path)
        working.terminate()
    assert caught.value.exit is Exit.LOCKED
    assert path.exists()


def test_dvc_goes_on_with_the_list_that_is_left(tmp_path: Path, zombie: int) -> None:
    of_dvc = pytest.importorskip("dvc.rwlock")
    from dvc.fs import localfs

    path = listed(tmp_path, zombie)
    rwlock.unlock(tmp_path)
    with of_dvc.rwlock(str(path.parent), localfs, "dvc repro", ["/e"], ["/a"], hardlink=False):
        assert json.loads(path.read_text())["write"]["/a"]["pid"] == os.getpid()
