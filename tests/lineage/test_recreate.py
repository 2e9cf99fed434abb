"""What `recreate` refuses before it runs anything, and how it compares afterwards."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from reprolm.errors import Exit, ReprolmError
from reprolm.lineage import clone, environment, text
from reprolm.lineage.content import dvc_digest
from reprolm.lineage.recreate import links, recreate
from reprolm.lineage.runs import Found, found
from reprolm.store import directory_digest, publish_directory
from reprolm.tracking.destination import Destination
from reprolm.tracking.lineage import lineage, lineage_of_machine
from reprolm.tracking.location import executions
from reprolm.tracking.record import PATCH
from reprolm.tracking.shipper import sync
from tests.tracking.executions import Written

UNTRACKED = "as it lies there, which git does not track"


def git(*words: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    return subprocess.run(["git", *who, *words], capture_output=True, check=True, text=True).stdout.strip()


@pytest.fixture
def source(repository: Path, to: Destination, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with an uncommitted change, a new file, and parameters."""
    monkeypatch.chdir(repository)
    (repository / "src").mkdir()
    (repository / "src" / "a.py").write_text("first\n")
    (repository / "params.yaml").write_text("seed: 1\n")
    (repository / ".gitignore").write_text("*.db\n.dvc\n.reprolm\nmlruns\n")
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "first")
    (repository / "src" / "a.py").write_text("changed\n")
    (repository / "src" / "b.py").write_text("new\n")
    (repository / "params.yaml").write_text("seed: 2\n")
    return repository


def run_of(root: Path, *, model: str = "d" * 64, keep: bool = True, **tags: str) -> Found:
    """A run as a stage records it, of the files in the working directory."""
    known, patch = lineage()
    name = f"run-{len(list(executions(root).glob('*')))}"
    written = Written(root, command="dvc repro train", name=name)
    for key, value in (known | tags).items():
        written.add("tag", stage="train", key=key, value=value)
    if keep:
        written.file("train", str(PATCH), patch.decode())
    written.start("train")
    written.add("outputs", stage="train", outputs={"model": model})
    written.end("train")
    sync(root)
    return found(root, name)


def refused(run: Found, root: Path, **options: Any) -> tuple[Exit, str]:
    with pytest.raises(ReprolmError) as caught:
        recreate(root, run.id, root / "again", **options)
    return caught.value.exit, str(caught.value)


def test_a_clone_has_commit_changes_and_new_files_of_a_run(source: Path) -> None:
    run = run_of(source)
    git("checkout", "-q", "--", ".")
    (source / "src" / "b.py").unlink()
    commit, patch = clone.commit_of(run, source), clone.patch_of(run)
    with clone.made(source, source / "again", commit, patch) as again:
        assert (again / "src" / "a.py").read_text() == "changed\n"
        assert (again / "src" / "b.py").read_text() == "new\n"
        clone.compare_files(again, run.tags)
        (again / "params.yaml").write_text("seed: 3\n")
        with pytest.raises(ReprolmError, match=r"params\.yaml: is not that of the run"):
            clone.compare_files(again, run.tags)


@pytest.mark.parametrize("there", [True, False])
def test_a_clone_that_cannot_be_made_whole_leaves_nothing_behind(source: Path, *, there: bool) -> None:
    if there:
        (source / "again").mkdir()
    with (
        pytest.raises(ReprolmError, match="git apply: failed"),
        clone.made(source, source / "again", git("rev-parse", "HEAD"), b"no patch"),
    ):
        pass
    assert (source / "again").exists() == there
    assert not list(source.glob("again/*"))
    code, line = refused(run_of(source, **{"digest.params.yaml": "0" * 64}), source)
    assert (code, "is not that of the run" in line) == (Exit.INTEGRITY, True)
    assert not list(source.glob("again/*"))


def test_a_run_is_cloned_whatever_its_user_has_told_git(
    source: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path_factory.mktemp("home") / "config"
    words = {"clone.defaultRemoteName": "upstream", "diff.context": "0", "diff.noprefix": "true",
             "diff.renames": "copies"}  # fmt: skip
    for key, value in words.items():
        git("config", "--file", str(odd), key, value)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(odd))
    run = run_of(source)
    with clone.made(source, source / "again", clone.commit_of(run, source), clone.patch_of(run)) as again:
        assert (again / "src" / "a.py").read_text() == "changed\n"
        assert (again / "src" / "b.py").read_text() == "new\n"


def test_a_commit_that_no_branch_holds_any_more_is_cloned(source: Path) -> None:
    git("commit", "-qam", "second")
    run = run_of(source)
    git("reset", "-q", "--hard", "HEAD~1")
    with clone.made(source, source / "again", clone.commit_of(run, source), b"") as again:
        assert (again / "src" / "a.py").read_text() == "changed\n"


def test_what_is_missing_or_another_is_refused_before_anything_runs(source: Path) -> None:
    code, line = refused(run_of(source, keep=False), source)
    assert (code, "uncommitted.patch: is not among the files" in line) == (Exit.MISSING, True)
    code, line = refused(run_of(source, **{"git.dirty_sha256": "0" * 64}), source)
    assert (code, "is not what the run was made with" in line) == (Exit.INTEGRITY, True)
    code, line = refused(run_of(source, **{"git.dirty_left_out": "all: 20,000,000 bytes"}), source)
    assert (code, "does not hold all uncommitted changes" in line) == (Exit.MISSING, True)
    code, line = refused(run_of(source, **{"git.commit": "0" * 40}), source)
    assert (code, "this repository lacks it" in line) == (Exit.MISSING, True)
    (source / "again").mkdir()
    (source / "again" / "file").touch()
    code, line = refused(run_of(source), source)
    assert (code, "is not empty" in line) == (Exit.STORAGE, True)


@pytest.mark.parametrize("package", ["torch", "ftfy"])
def test_another_version_of_what_changes_bits_is_refused(source: Path, package: str) -> None:
    code, line = refused(run_of(source, **{f"version.{package}": "1.0.0"}), source)
    assert code is Exit.MISSING
    assert line.startswith(f"{package}: is not the version of the run (got ")


def test_another_processor_is_noted() -> None:
    noted = environment.differences(lineage_of_machine() | {"machine.processor": "another"})
    assert [note.split(":")[0] for note in noted] == ["machine.processor"]
    environment.refuse_other(lineage_of_machine())


def test_own_text_is_brought_if_it_is_still_the_same(tmp_path: Path) -> None:
    origin, copy = tmp_path / "origin", tmp_path / "copy"
    for name, content in {"mine/a.txt": "one", "mine/b/c.txt": "two"}.items():
        (origin / name).parent.mkdir(parents=True, exist_ok=True)
        (origin / name).write_text(content)
    digest = dvc_digest(origin / "mine")
    assert digest is not None
    assert text.bring("mine", digest, origin, copy) == "brought from the original repository"
    assert dvc_digest(copy / "mine") == digest
    assert text.bring("mine", digest, origin, copy) == UNTRACKED
    git("-C", str(copy), "init", "-q")
    git("-C", str(copy), "add", "mine")
    assert text.bring("mine", digest, origin, copy) == "as git tracks it"
    (copy / "mine" / "a.txt").write_text("other")
    (origin / "mine" / "a.txt").write_text("another")
    with pytest.raises(ReprolmError, match="is another text now") as caught:
        text.bring("mine", digest, origin, copy)
    assert caught.value.exit is Exit.INTEGRITY
    with pytest.raises(ReprolmError, match="is not there") as caught:
        text.bring("yours", digest, origin, copy)
    assert caught.value.exit is Exit.MISSING


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Own text outside any repository, a repository, and a clone in which git tracks a link to the text."""
    own, origin, copy = (tmp_path / name for name in ("own", "origin", "copy"))
    for folder in (own, origin, copy):
        folder.mkdir()
    (own / "a.txt").write_text("one")
    (copy / "linked").symlink_to(own)
    git("-C", str(copy), "init", "-q")
    git("-C", str(copy), "add", "linked")
    return own, origin, copy


@pytest.mark.parametrize("way", ["absolute", "beside", "link"])
def test_text_outside_the_repository_is_not_said_to_be_tracked(
    places: tuple[Path, Path, Path], way: str
) -> None:
    own, origin, copy = places
    digest = dvc_digest(own)
    assert digest is not None
    path = {"absolute": str(own), "beside": "../own", "link": "linked"}[way]
    assert text.bring(path, digest, origin, copy) == UNTRACKED


def test_nothing_outside_the_clone_is_overwritten(places: tuple[Path, Path, Path], tmp_path: Path) -> None:
    own, origin, _ = places
    digest, away, other = dvc_digest(own), tmp_path / "away" / "copy", tmp_path / "away" / "own"
    for folder in (away, other):
        folder.mkdir(parents=True)
    (other / "letters.txt").write_text("of somebody else")
    assert digest is not None
    with pytest.raises(ReprolmError, match=r"data\.files\.path: \.\./own: leads out of the clone") as caught:
        text.bring("../own", digest, origin, away)
    assert caught.value.exit is Exit.MISSING
    assert [path.name for path in other.iterdir()] == ["letters.txt"]


def test_a_model_of_other_bytes_is_the_link_that_differs(source: Path) -> None:
    with publish_directory(source / "models" / "model") as out:
        (out / "weights").write_text("w")
    same = run_of(source, model=directory_digest(source / "models" / "model"))
    assert [link.same for link in links(same, source)] == [True]
    other = run_of(source)
    (link,) = links(other, source)
    assert not link.same
    assert str(link).startswith("✗ models/model")
    # a manifest that is right beside bytes that are not is no model made again
    (source / "models" / "model" / "weights").write_text("x")
    assert [link.now for link in links(same, source)] == [None]
