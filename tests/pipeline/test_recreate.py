"""A run made again from what MLflow holds of it."""

import shutil
from pathlib import Path

import pytest

from tests.pipeline.workspace import Workspace, story


@pytest.mark.heavy
def test_a_run_of_uncommitted_code_and_untracked_text_is_made_again_in_a_clone(
    work: Workspace, tmp_path: Path
) -> None:
    (work.path / ".git" / "info" / "exclude").write_text("/mine.txt\n")
    (work.path / "mine.txt").write_text(story().replace("cat", "bird"))
    code = work.path / "src" / "reprolm" / "optim" / "adamw.py"
    code.write_text(code.read_text() + "\n# tried once\n")
    work.run("dvc", "exp", "run", "-n", "birds", "-S", "data.files.path=mine.txt", "-S", "seed=5")
    (run,) = work.runs()
    # another day: the changes are gone, other results lie in the workspace
    work.run("git", "checkout", "--", "src", "params.yaml", "dvc.lock")
    shutil.rmtree(work.path / "models")
    output = work.run("reprolm", "recreate", "birds", "--into", str(tmp_path / "again"))
    assert "mine.txt: brought from the original repository" in output
    assert output.count("the same") == 6 + 1
    assert (
        code.read_text() + "\n# tried once\n"
        == (tmp_path / "again" / code.relative_to(work.path)).read_text()
    )
    (again,) = Workspace(tmp_path / "again").runs()
    assert again.data.tags["recreates"] == run.info.run_id
    assert again.data.tags["stage.train.digest"] == run.data.tags["stage.train.digest"]
    (work.path / "mine.txt").write_text(story().replace("cat", "fish"))
    refused = work.run("reprolm", "recreate", "birds", "--into", str(tmp_path / "other"), code=76)
    assert "data.files.path: mine.txt: is another text now" in refused
