import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from reprolm.tracking.lineage import NUMERIC, lineage, lineage_of_machine
from tests.settings import ROOT


def git(*words: str, input: bytes | None = None) -> bytes:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    return subprocess.run(["git", *who, *words], input=input, capture_output=True, check=True).stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("src/model.py", "params.yaml", "metrics/train.json", "dvc.lock", "plots/train.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "first")
    return tmp_path


def test_a_clean_tree_is_its_commit(repository: Path) -> None:
    tags, patch = lineage()
    assert tags["git.commit"] == git("rev-parse", "HEAD").decode().strip()
    assert tags["git.branch"] == "main"
    assert "git.dirty_sha256" not in tags
    assert patch == b""
    assert tags["digest.params.yaml"] == hashlib.sha256(b"params.yaml\n").hexdigest()


def test_what_the_pipeline_writes_is_no_change(repository: Path) -> None:
    for name in ("metrics/train.json", "dvc.lock", "plots/train.csv"):
        (repository / name).write_text("other\n")
    assert lineage()[1] == b""


def test_the_patch_brings_back_changed_and_new_code(repository: Path) -> None:
    (repository / "src/model.py").write_text("changed\n")
    (repository / "src/näw.bin").write_bytes(bytes(range(256)))
    tags, patch = lineage()
    assert tags["git.dirty_sha256"] == hashlib.sha256(patch).hexdigest()
    (repository / "src/näw.bin").unlink()
    git("checkout", "-q", "--", ".")
    git("apply", input=patch)
    assert (repository / "src/model.py").read_text() == "changed\n"
    assert (repository / "src/näw.bin").read_bytes() == bytes(range(256))


SETTINGS = {
    "diff.noprefix": "true",
    "diff.mnemonicPrefix": "true",
    "diff.external": "echo",
    "diff.context": "0",
    "diff.relative": "true",
    "diff.srcPrefix": "x/",
    "color.ui": "always",
    "diff.upper.textconv": "tr a-z A-Z <",
}


@pytest.mark.parametrize("key", [*SETTINGS, "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS"])
def test_the_patch_is_the_same_whatever_its_user_has_told_git(
    repository: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    (repository / ".gitattributes").write_text("*.py diff=upper\n")
    (repository / "src/model.py").write_text("".join(f"{n}\n" for n in range(20)))
    git("add", ".")
    git("commit", "-qm", "second")
    (repository / "src/model.py").write_text("".join(f"{n if n != 9 else 'changed'}\n" for n in range(20)))
    (repository / "src/new.py").write_text("new\n")
    plain = lineage()[1]
    if key in SETTINGS:
        git("config", key, SETTINGS[key])
    else:
        monkeypatch.setenv(key, "echo" if key == "GIT_EXTERNAL_DIFF" else "-u0")
    assert lineage()[1] == plain
    (repository / "src/new.py").unlink()
    git("checkout", "-q", "--", ".")
    git("apply", input=plain)
    assert "changed" in (repository / "src/model.py").read_text()
    assert (repository / "src/new.py").read_text() == "new\n"


def test_the_code_has_one_digest_whichever_commit_and_parameters_it_is_run_with(repository: Path) -> None:
    def digest() -> str:
        return lineage()[0]["digest.code"]

    first = digest()
    for name in ("params.yaml", "metrics/train.json", "dvc.lock"):
        (repository / name).write_text("other\n")
    assert digest() == first
    git("commit", "-qam", "results")
    assert digest() == first
    (repository / "src/model.py").write_text("changed\n")
    edited = digest()
    git("commit", "-qam", "code")
    assert digest() == edited != first
    (repository / "src/näw.py").write_text("new\n")
    assert digest() not in (first, edited)
    (repository / "src/näw.py").unlink()
    for stages in ("", "stages: [}", "stages: {}", "other: 1"):
        (repository / "dvc.yaml").write_text(stages)
        assert digest() == edited


def test_only_code_on_which_a_computing_stage_depends_is_in_its_digest(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reprolm.tracking.lineage.COMPUTING", ["train"])
    (repository / "dvc.yaml").write_text(
        "stages: {train: {deps: [data/x, src/model.py]}, report: {deps: [src]}}"
    )
    before = lineage()[0]["digest.code"]
    (repository / "src/page.py").write_text("new\n")
    (repository / "data").mkdir()
    (repository / "data/x").write_text("new\n")
    assert lineage()[0]["digest.code"] == before
    (repository / "src/model.py").write_text("changed\n")
    assert lineage()[0]["digest.code"] != before


def test_changes_that_are_too_many_are_not_kept_and_that_is_said(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "src/model.py").write_text("changed\n" * 100)
    monkeypatch.setattr("reprolm.tracking.lineage.MOST_PATCH_BYTES", 400)
    tags, patch = lineage()
    assert patch == b""
    assert tags["git.dirty_left_out"].startswith("all: ")
    assert "git.dirty_sha256" in tags


def test_new_files_beyond_a_hundred_are_counted(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        (repository / f"src/new{number}.py").write_text("new\n")
    monkeypatch.setattr("reprolm.tracking.lineage.MOST_NEW_FILES", 2)
    assert lineage()[0]["git.dirty_left_out"] == "1 of 3 new files"


def test_a_folder_without_git_still_tells_versions_and_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    tags, patch = lineage()
    assert patch == b""
    assert not [key for key in tags if key.startswith("git.")]
    assert {"version.python", "version.torch", "machine.processor"} <= set(tags)


def test_a_run_names_the_version_of_each_package_on_whose_pin_a_stage_depends() -> None:
    pinned = [pin.split("==")[0] for pin in (ROOT / "numerics.lock").read_text().splitlines()]
    assert sorted(NUMERIC) == sorted(["python", *pinned])
    assert {f"version.{name}" for name in NUMERIC} <= set(lineage_of_machine())


def test_a_pin_is_no_code_for_the_versions_that_are_installed_are_told(repository: Path) -> None:
    (repository / "dvc.yaml").write_text(
        "stages: {download: {deps: [numerics.lock, src]}, train_tokenizer: {deps: [src]}, "
        "encode: {deps: [src]}, train: {deps: [src]}, evaluate: {deps: [src]}, sample: {deps: [src]}}"
    )
    digests = set()
    for pin in ("torch==1", "torch==2"):
        (repository / "numerics.lock").write_text(f"{pin}\n")
        digests.add(lineage()[0]["digest.code"])
    assert len(digests) == 1


def test_a_change_that_gits_index_does_not_see_is_in_the_patch(repository: Path) -> None:
    # as `dvc exp run -S` leaves it: other bytes of the same length in the second of which the index knows
    params, index = repository / "params.yaml", repository / ".git" / "index"
    git("config", "core.trustctime", "false")
    (repository / "notes").write_text("staged\n")
    git("add", "notes")
    known = params.stat()
    params.write_text("Params.yaml\n")
    os.utime(params, ns=(known.st_atime_ns, known.st_mtime_ns))
    os.utime(index, (known.st_mtime + 100, known.st_mtime + 100))
    assert git("diff", "HEAD", "--name-only") == b"notes\n"
    tags, patch = lineage()
    assert b"+Params.yaml" in patch
    assert b"+staged" in patch
    assert tags["git.dirty_sha256"] == hashlib.sha256(patch).hexdigest()
