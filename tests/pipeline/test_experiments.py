"""Queued and temporary experiments."""

import pytest
from mlflow.entities import RunStatus

from tests.pipeline.workspace import Workspace, story


def test_a_queued_sweep_gives_complete_runs_of_the_code_that_was_queued(work: Workspace) -> None:
    work.run("dvc", "exp", "run", "--queue", "-S", "model.n_layers=1,2", "-S", "seed=range(2)")
    code = work.path / "src" / "reprolm" / "evaluate" / "perplexity.py"
    code.write_text("raise RuntimeError('edited after queueing')\n" + code.read_text())
    work.run("dvc", "queue", "start", "-j", "2")
    log = work.run("dvc", "queue", "status")
    while "Running" in log or "Queued" in log:
        log = work.run("dvc", "queue", "status")
    assert log.count("Success") == 4, log
    runs = work.runs()
    assert len(runs) == 4
    assert {run.info.status for run in runs} == {RunStatus.to_string(RunStatus.FINISHED)}
    cells = {(run.data.params["model.n_layers"], run.data.params["seed"]) for run in runs}
    assert cells == {("1", "0"), ("1", "1"), ("2", "0"), ("2", "1")}
    for run in runs:
        assert run.data.tags["stage.encode"] == "cached"
        known = (run.data.params["model.n_layers"], run.data.params["seed"]) == (
            "2",
            "1",
        )  # the workspace's own
        assert run.data.tags["stage.train"] == ("cached" if known else "ran")
        assert {"evaluate/bits_per_byte", "train/best_validation_loss"} <= run.data.metrics.keys()
        assert len(work.client().get_metric_history(run.info.run_id, "train/loss")) == 20
    assert len({run.data.metrics["evaluate/bits_per_byte"] for run in runs}) == 4
    names = work.run("dvc", "exp", "list", "--name-only").split()
    assert sorted(run.info.run_name for run in runs) == sorted(names)


def test_a_temporary_experiment_reads_all_of_texts_tracked_or_not(work: Workspace) -> None:
    (work.path / "texts" / "untracked.txt").write_text("A paragraph that git does not know.\n")
    work.run("dvc", "exp", "run", "--temp", "-S", "data.files.separator=")
    assert work.runs()[-1].data.metrics["download/documents"] == 2


def test_experiments_that_train_the_same_do_not_fail_each_other(work: Workspace) -> None:
    work.run("dvc", "exp", "run", "--queue", "-S", "train.steps=300", "-S", "sample.temperature=0.5,1.0")
    work.run("dvc", "queue", "start", "-j", "2")
    log = work.run("dvc", "queue", "status")
    while "Running" in log or "Queued" in log:
        log = work.run("dvc", "queue", "status")
    assert log.count("Success") == 2, log


@pytest.mark.parametrize("kind", ["file", "folder"])
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
