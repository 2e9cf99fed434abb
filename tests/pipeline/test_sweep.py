"""`reprolm sweep` through the queue of DVC."""

import json
import re
import signal
import time

import psutil
import pytest
from mlflow.entities import Run

from tests.pipeline.workspace import Workspace

pytestmark = pytest.mark.heavy
LONG = ("train.steps=1000", "seed=11")
NAME = "steps=1000,seed=11"


def finished_runs(work: Workspace) -> dict[str, Run]:
    runs = [run for run in work.runs() if run.info.status == "FINISHED" and "dvc.exp_name" in run.data.tags]
    named = {run.data.tags["dvc.exp_name"]: run for run in runs}
    assert len(named) == len(runs)
    return named


def results(work: Workspace) -> dict[str, str]:
    """What the one experiment left in git."""
    [commit] = work.run("dvc", "exp", "list", "--sha-only").split()
    paths = ("metrics/train.json", "metrics/evaluate.json", "plots/train.csv", "dvc.lock")
    return {path: work.run("git", "show", f"{commit}:{path}") for path in paths}


def test_a_grid_gives_one_run_for_each_experiment_and_again_gives_none(work: Workspace) -> None:
    grid = ("model.n_layers=1", "train.learning_rate=geomspace(0.003,0.03,2)", "seed=range(1,3)")
    output = work.run("reprolm", "sweep", *grid, "--jobs", "2")
    assert "4 experiments, 2 at a time" in output
    names = set(work.run("dvc", "exp", "list", "--name-only").split())
    assert names == {f"learning_rate={rate},seed={seed}" for rate in (0.003, 0.03) for seed in (1, 2)}
    runs = finished_runs(work)
    assert set(runs) == names
    for name, run in runs.items():
        assert {"evaluate/bits_per_byte", "train/best_validation_loss"} <= run.data.metrics.keys()
        rate, seed = (part.split("=")[1] for part in name.split(","))
        assert run.data.params["train.learning_rate"] == rate
        assert f"seed={seed}" in run.data.tags["changed"] or seed == "1"
        assert "model.n_layers=1" in run.data.tags["mlflow.note.content"]
    again = work.run("reprolm", "sweep", *grid)
    assert again.count("has finished before") == 4
    assert set(work.run("dvc", "exp", "list", "--name-only").split()) == names
    assert len(finished_runs(work)) == 4
    for compared in (output, again, work.run("reprolm", "compare", "learning_rate=*")):
        assert "learning_rate=0.03 " in compared
        assert "±" in compared
    page = (work.path / "reports" / "compare.html").read_text()
    assert page.count("<svg") >= 16


def test_bad_combinations_queue_nothing(work: Workspace) -> None:
    output = work.run("reprolm", "sweep", "model.n_heads=2,3", "train.lerning_rate=1", code=2)
    assert output.startswith("reprolm: error: train.lerning_rate: unknown parameter")
    output = work.run("reprolm", "sweep", "model.n_heads=2,3", code=2)
    assert "in n_heads=3" in output
    assert "n_heads" not in work.run("dvc", "queue", "status")


def test_on_a_terminal_it_asks_first_and_then_draws_one_table_again_and_again(work: Workspace) -> None:
    grid = ("reprolm", "sweep", "seed=21,22")
    output = work.typed(*grid, answer="n")
    assert "go? [y/N]" in output.splitlines()[-1]
    assert "queued" not in output
    assert "seed=21" not in work.run("dvc", "queue", "status")
    output = work.typed(*grid, answer="y")
    tables = re.split(r"\x1b\[\d+F\x1b\[J", output)
    assert len(tables) > 5
    for seed in (21, 22):
        assert all(f"seed={seed} " in table for table in tables[1:])
        assert any(re.search(rf"seed={seed} +running .*train \d+ of 40", table) for table in tables)
    assert re.search(r"2 finished; \d", tables[-1])
    assert set(finished_runs(work)) == {"seed=21", "seed=22"}


def worker(work: Workspace) -> psutil.Process | None:
    """The process of DVC that carries out an experiment here."""
    for process in psutil.process_iter():
        try:
            if "exec-run" in process.cmdline() and str(work.path) in " ".join(process.cmdline()):
                return process
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return None


def trained(work: Workspace) -> bool:
    return any((work.path / ".reprolm" / "checkpoints").glob("*/step-*"))


@pytest.fixture(scope="module")
def whole(finished: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Where the experiment ran without interruption."""
    made = finished.copied(tmp_path_factory.mktemp("sweep") / "whole")
    made.run("reprolm", "sweep", *LONG)
    return made


@pytest.mark.parametrize("end", ["kill", "interrupt"])
def test_a_stopped_experiment_goes_on_by_the_same_command_and_ends_the_same(
    work: Workspace, whole: Workspace, end: str
) -> None:
    sweep = work.start("reprolm", "sweep", *LONG)
    deadline = time.monotonic() + 120
    while not trained(work) and time.monotonic() < deadline:
        time.sleep(0.2)
    if end == "kill":
        killed = worker(work)
        assert killed is not None
        killed.kill()
        output = sweep.communicate(timeout=120)[0]
        assert sweep.returncode == 65
        assert f"reprolm: error: {NAME}: " in output
    else:
        sweep.send_signal(signal.SIGINT)
        output = sweep.communicate(timeout=120)[0]
        assert sweep.returncode == 130
    assert "reprolm sweep train.steps=1000 seed=11" in output
    assert not finished_runs(work)
    work.run("reprolm", "sweep", *LONG)
    run = finished_runs(work)[NAME]
    assert 0 < int(run.data.tags["resumed_from_step"]) < 1000
    assert finished_runs(whole)[NAME].data.tags["resumed_from_step"] == "0"
    assert results(whole) == results(work)
    assert json.loads(results(work)["metrics/train.json"])["steps"] == 1000
