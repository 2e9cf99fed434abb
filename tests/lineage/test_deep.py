"""One flipped bit, with size and time as before: DVC believes it, `verify --deep` does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reprolm import journal
from reprolm.errors import Exit, ReprolmError
from reprolm.lineage.deep import cache_of, damaged_journals, verify
from tests.settings import ROOT
from tests.tracking.executions import Written

STAGE = """
import sys
from pathlib import Path
from reprolm.store import publish_directory
with publish_directory(Path("models/model")) as out:
    (out / "weights").write_bytes(Path("text").read_bytes() * 3)
"""
PIPELINE = """stages:
  train:
    cmd: {python} make.py
    deps: [text]
    outs: [models/model]
"""


def flip(path: Path) -> None:
    """One bit of a file's first byte, behind the back of whoever trusts size and time."""
    before, mode = path.stat(), path.stat().st_mode
    path.chmod(0o644)
    with path.open("r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 1]))
    path.chmod(mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def dvc(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "dvc", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of one stage that DVC has run; tests mend what they damage."""
    root = tmp_path_factory.mktemp("deep")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("PYTHONPATH", str(ROOT / "src"))
        patch.setenv("DVC_SITE_CACHE_DIR", str(root / "state"))
        (root / "make.py").write_text(STAGE)
        (root / "text").write_text("Once upon a time. " * 100)
        (root / "dvc.yaml").write_text(PIPELINE.format(python=sys.executable))
        subprocess.run(["git", "init", "-q"], check=True)
        dvc("init", "-q")
        dvc("repro", "-q")
    return root


@pytest.fixture
def root(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(repository)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(repository / "state"))
    return repository


def refused(root: Path) -> list[str]:
    with pytest.raises(ReprolmError) as caught:
        verify(root)
    assert caught.value.exit is Exit.INTEGRITY
    return [str(problem) for problem in caught.value.problems]


def typed(line: str) -> None:
    """What the line tells to type, to its first alternative."""
    command = line.split("type: ")[1].rstrip(")").split(", or ")[0].replace(", then", " &&")
    subprocess.run(command.replace("dvc ", f"{sys.executable} -m dvc "), shell=True, check=True,
                   capture_output=True)  # fmt: skip


def test_what_is_whole_is_said_to_be_with_its_size(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verify(root)
    assert " 0 wrong" in capsys.readouterr().out


def test_a_flipped_bit_in_the_workspace_is_found_and_what_is_to_be_typed_mends_it(root: Path) -> None:
    flip(root / "models/model/weights")
    assert "up to date" in dvc("status")  # DVC believes its state
    lines = refused(root)
    assert [line.split(":")[0] for line in lines] == ["models/model/weights"] * 2
    assert "by dvc.lock" in lines[0]
    assert "by model/manifest.json" in lines[1]
    typed(lines[0])
    verify(root)


def test_a_flipped_bit_in_the_cache_is_found_and_what_is_to_be_typed_mends_it(root: Path) -> None:
    objects = [path for path in cache_of(root).glob("files/md5/??/*") if path.suffix != ".dir"]
    damaged = max(objects, key=lambda path: path.stat().st_size)
    flip(damaged)
    assert "up to date" in dvc("status")
    (line,) = refused(root)
    assert line.startswith(f"{damaged.relative_to(root)}: has other bytes (got ")
    damaged.unlink()
    dvc("commit", "--force")
    verify(root)


def test_a_flipped_bit_in_a_dependency_is_found_and_an_edit_is_not_called_damage(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (root / "text").read_bytes()
    flip(root / "text")
    assert [line.split(":")[0] for line in refused(root)] == ["text"]
    (root / "text").write_bytes(whole + b"The end.\n")
    verify(root)
    assert "text is not what dvc.lock has, and DVC knows" in capsys.readouterr().out
    (root / "text").write_bytes(whole)


def test_a_record_damaged_before_the_end_of_a_journal_is_named_and_a_torn_end_is_not(
    tmp_path: Path,
) -> None:
    written = Written(tmp_path)
    written.train(2)
    with written.journal.path.open("ab") as file:
        file.write(b"0000 {torn")
    assert damaged_journals(tmp_path) == []
    flip(written.journal.path)
    (problem,) = damaged_journals(tmp_path)
    lines = written.journal.path.read_bytes().count(b"\n")
    assert f": 1 of {lines} records damaged (" in str(problem)


def test_records_that_are_appended_meanwhile_are_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, body, left = Written(tmp_path), journal._body, [3]

    def slow(line: bytes) -> bytes | None:
        while left[0]:
            left[0] -= 1
            written.add("tag", stage="train", key="a", value="b")
        return body(line)

    monkeypatch.setattr(journal, "_body", slow)
    assert damaged_journals(tmp_path) == []
    assert journal.count(written.journal.path) == 4
