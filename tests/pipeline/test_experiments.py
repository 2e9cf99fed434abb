"""Queued and temporary experiments."""

import time

import pytest
from mlflow.entities import RunStatus

from tests.pipeline.workspace import Workspace, story


def emptied(work: Workspace) -> str:
    """The state of the queue when two workers have nothing left to do."""
    work.run("dvc", "queue", "start", "-j", "2")
    while True:
        log = work.run("dvc", "queue", "status")
        if "Running" not in log and "Queued" not in log:
            return log
        time.sleep(2)  # a look takes a second of a core that the workers want


def test_a_queued_sweep_gives_complete_runs_of_the_code_that_was_queued(work: Workspace) -> None:
    work.run("dvc", "exp", "run", "--queue", "-S", "seed=range(3)")
    code = work.path / "src" / "reprolm" / "evaluate" / "perplexity.py"
    code.write_text("raise RuntimeError('edited after queueing')\n" + code.read_text())
    assert emptied(work).count("Success") == 3
    runs = work.runs()
    assert len(runs) == 3
    assert {run.info.status for run in runs} == {RunStatus.to_string(RunStatus.FINISHED)}
    assert {run.data.params["seed"] for run in runs} == {"0", "1", "2"}
    for run in runs:
        assert run.data.tags["stage.encode"] == "cached"
        own = run.data.params["seed"] == "1"
        assert run.data.tags["stage.train"] == ("cached" if own else "ran")
        assert {"evaluate/bits_per_byte", "train/best_validation_loss"} <= run.data.metrics.keys()
        assert len(work.client().get_metric_history(run.info.run_id, "train/loss")) == 20
    assert len({run.data.metrics["evaluate/bits_per_byte"] for run in runs}) == 3
    names = work.run("dvc", "exp", "list", "--name-only").split()
    assert sorted(run.info.run_name for run in runs) == sorted(names)


def test_a_temporary_experiment_reads_all_of_texts_tracked_or_not(work: Workspace) -> None:
    (work.path / "texts" / "untracked.txt").write_text("A paragraph that git does not know.\n")
    work.run("dvc", "exp", "run", "--temp", "-S", "data.files.separator=")
    assert work.runs()[-1].data.metrics["download/documents"] == 2


def test_experiments_that_train_the_same_do_not_fail_each_other(work: Workspace) -> None:
    work.run("dvc", "exp", "run", "--queue", "-S", "train.steps=300", "-S", "sample.temperature=0.5,1.0")
    assert emptied(work).count("Success") == 2


@pytest.mark.parametrize("kind", ["file", pytest.param("folder", marks=pytest.mark.heavy)])
def test_a_temporary_experiment_finds_own_text_that_git_does_not_track(work: Workspace, kind: str) -> None:
    (work.path / ".git" / "info" / "exclude").write_text("/mine*\n")
    if kind == "folder":
        (work.path / "mine").mkdir()
    target = "mine/own.txt" if kind == "folder" else "mine.txt"
    (work.path / target).write_text(story().replace("cat", "bird"))
    path = "mine" if kind == "folder" else "mine.txt"
    work.run("dvc", "exp", "run", "--temp", "-S", f"data.files.path={path}")
    run = work.runs()[-1]
    assert run.data.params["data.files.path"] == path
    assert run.data.tags["stage.download"] == "ran"
    assert "evaluate/bits_per_byte" in run.data.metrics
