"""Stages as processes: what they exit with, what they leave, how they die."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from reprolm.config import read_params
from reprolm.journal import read
from reprolm.tracking import planned
from reprolm.tracking.record import JOURNAL
from tests.settings import ROOT

DIES_WITH_PARENT = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a child of its parent's death"
)
SCRIPT = """
import _stage

def main(stage):
    {body}

if __name__ == "__main__":
    raise SystemExit(_stage.run("{name}", main))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree as a stage finds it: its own copy of the code, and parameters."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "stages").mkdir()
    (tmp_path / ".dvc").mkdir()
    shutil.copy(ROOT / "stages" / "_stage.py", tmp_path / "stages")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path


def script(tree: Path, body: str, name: str = "train") -> list[str]:
    path = tree / "stages" / f"{name}.py"
    path.write_text(SCRIPT.format(body=body.replace("\n", "\n    "), name=name))
    return [sys.executable, str(path)]


def surroundings(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DVC_", "MLFLOW_"))}
    return kept | {"REPROLM_TRACKING": "off"} | more


def perform(tree: Path, body: str, name: str = "train", **more: str) -> "subprocess.CompletedProcess[str]":
    command = script(tree, body, name)
    return subprocess.run(
        command, cwd=tree, env=surroundings(**more), capture_output=True, text=True, check=False
    )


def recorded(tree: Path) -> list[dict[str, Any]]:
    (journal,) = (tree / ".reprolm" / "executions").glob(f"*/{JOURNAL}")
    return read(journal)[0]


def test_a_stage_runs_the_code_of_its_own_tree(tree: Path) -> None:
    done = perform(tree, "import reprolm; print(reprolm.__file__)")
    assert done.stdout.strip() == str(tree / "src" / "reprolm" / "__init__.py")


def test_numbers_are_published_for_git_and_recorded(tree: Path) -> None:
    body = "stage.metrics({'best_validation_loss': 2.5})\nstage.timings({'tokens_per_second': 1.0})\n"
    done = perform(tree, body + "stage.point(1, {'train/loss': 3.0}, 1.5)\nstage.outputs({'model': 'ab'})")
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads((tree / "metrics" / "train.json").read_text()) == {"best_validation_loss": 2.5}
    assert done.stderr.startswith("train: ")
    assert done.stderr.endswith("best validation loss 2.5\n")
    point = next(entry for entry in recorded(tree) if entry["kind"] == "point")
    assert (point["at"], point["step"], point["values"]) == (1500, 1, {"train/loss": 3.0})
    assert recorded(tree)[-1]["status"] == "done"


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ("stage.section('nothing', __import__('reprolm.config').config.Config)", 2, "nothing: is missing"),
        ("stage.number('sead')", 2, "sead: has a wrong value"),
        ("from reprolm.errors import refuse; raise refuse('a.txt', 'is empty')", 65, "a.txt: is empty"),
        ("import nosuchpackage", 66, "lacks nosuchpackage"),
        ("raise RuntimeError('oh')", 70, "failed on a fault of its own (got RuntimeError('oh'))"),
    ],
)
def test_what_fails_is_one_line_with_its_exit_code_and_is_recorded(
    tree: Path, body: str, code: int, line: str
) -> None:
    done = perform(tree, body)
    assert done.returncode == code
    assert [row for row in done.stderr.splitlines() if row.startswith("reprolm: error: ") and line in row]
    end = recorded(tree)[-1]
    assert (end["kind"], end["status"], end["exit"]) == ("ended", "failed", code)
    assert end["error"]


def test_parameters_that_cannot_be_read_leave_no_record(tree: Path) -> None:
    (tree / "params.yaml").write_text("seed: [")
    done = perform(tree, "pass")
    assert done.returncode == 2
    assert "params.yaml: is not YAML" in done.stderr
    assert not (tree / ".reprolm").exists()


def test_parameters_are_those_of_the_start(tree: Path) -> None:
    body = "from pathlib import Path\nPath('params.yaml').write_text('')\nprint(stage.number('seed'))"
    assert perform(tree, body).stdout == "1\n"


def test_the_check_of_parameters_is_no_run(tree: Path) -> None:
    assert perform(tree, "pass", name="check").returncode == 0
    assert not (tree / ".reprolm").exists()


def test_an_interpreter_without_the_packages_gets_one_line(tree: Path) -> None:
    command = [sys.executable, "-S", *script(tree, "pass")[1:]]
    done = subprocess.run(command, cwd=tree, env=surroundings(), capture_output=True, text=True, check=False)
    assert done.returncode == 66
    assert done.stderr.count("\n") == 1
    assert "source .venv/bin/activate" in done.stderr


def test_without_mlflow_a_stage_runs_and_records(tree: Path) -> None:
    block = "import sys\nclass Block:\n    def find_spec(self, name, *_):\n"
    block += (
        "        if name == 'mlflow': raise ModuleNotFoundError(name)\nsys.meta_path.insert(0, Block())\n"
    )
    (tree / "blocked").mkdir()
    (tree / "blocked" / "sitecustomize.py").write_text(block)
    done = perform(tree, "print('ran')", "report", PYTHONPATH=str(tree / "blocked"), REPROLM_TRACKING="on")
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "pending" not in done.stderr
    assert recorded(tree)[-1]["status"] == "done"
    assert not list((tree / ".reprolm" / "executions").glob("*/shipper.log"))


def wait_for(path: Path, process: "subprocess.Popen[str] | None" = None) -> None:
    deadline = time.monotonic() + 120
    while not path.exists() and time.monotonic() < deadline:
        assert process is None or process.poll() is None
        time.sleep(0.01)


WAITS = "from pathlib import Path; import os, time\nPath('pid').write_text(str(os.getpid()))\n"
WAITS += "Path('pid').rename('up')\ntime.sleep(60)"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_stage_in_order(tree: Path, number: signal.Signals, code: int) -> None:
    command = script(tree, WAITS)
    with subprocess.Popen(
        command, cwd=tree, env=surroundings(), stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for(tree / "up", process)
        process.send_signal(number)
        assert process.wait(60) == code
    end = recorded(tree)[-1]
    assert (end["kind"], end["status"], end["exit"]) == ("ended", "killed", code)


def imitated_dvc(tree: Path, command: list[str]) -> "subprocess.Popen[str]":
    """A process named `dvc` that has a stage run, as DVC does, in a group of its own."""
    (tree / "dvc").write_text(f"import subprocess\nsubprocess.run({command!r})\n")
    arguments, environment = [sys.executable, "dvc", "repro"], surroundings(DVC_STAGE="train")
    return subprocess.Popen(arguments, cwd=tree, env=environment, text=True, start_new_session=True)


LISTENS = """
import time
from pathlib import Path
from reprolm.train.signals import Signals
signals = Signals()
with signals.heard():
    Path("up").write_text("")
    while signals.stop is None:
        time.sleep(0.01)
    time.sleep(0.5)
    Path("saved").write_text(str(int(signals.stop)))
"""


@DIES_WITH_PARENT
@pytest.mark.parametrize("whole_group", [True, False])
def test_a_training_that_is_told_to_stop_with_its_dvc_still_saves(tree: Path, whole_group: bool) -> None:
    with imitated_dvc(tree, script(tree, LISTENS)) as dvc:
        wait_for(tree / "up", dvc)
        (os.killpg if whole_group else os.kill)(dvc.pid, signal.SIGTERM)
        assert dvc.wait(60) == -signal.SIGTERM
    wait_for(tree / "saved")
    assert (tree / "saved").read_text() == "143"


@DIES_WITH_PARENT
def test_a_stage_dies_with_the_dvc_that_was_killed(tree: Path) -> None:
    with imitated_dvc(tree, script(tree, WAITS)) as dvc:
        wait_for(tree / "up", dvc)
        stage = psutil.Process(int((tree / "up").read_text()))
        dvc.kill()
        dvc.wait()
    assert psutil.wait_procs([stage], timeout=60)[1] == []
    end = recorded(tree)[-1]
    assert (end["kind"], end["status"], end["exit"]) == ("ended", "killed", 143)


@DIES_WITH_PARENT
def test_a_stage_whose_dvc_died_before_it_could_ask_does_not_start(tree: Path) -> None:
    command = script(tree, "from pathlib import Path; Path('started').touch()")
    waits = "echo $$ >pid; mv pid up; while kill -0 $PPID; do sleep 0.05; done; exec "
    with imitated_dvc(tree, ["sh", "-c", waits + shlex.join(command)]) as dvc:
        wait_for(tree / "up", dvc)
        stage = psutil.Process(int((tree / "up").read_text()))
        dvc.kill()
        dvc.wait()
    assert psutil.wait_procs([stage], timeout=20)[1] == []
    assert not (tree / "started").exists()
    assert not (tree / ".reprolm").exists()


def test_what_a_stage_took_is_tagged_beside_what_was_planned(tree: Path) -> None:
    planned.keep(tree, read_params(tree / "params.yaml"), {"fit_seconds": 2.0, "peak_bytes": None})
    assert perform(tree, "stage.took({'fit_seconds': 3.0, 'peak_bytes': 5.0})").returncode == 0
    records = recorded(tree)
    assert [r["numbers"] for r in records if r["kind"] == "numbers"] == [
        {"fit_seconds": 3.0, "peak_bytes": 5.0}
    ]
    tags = {r["key"]: r["value"] for r in records if r["kind"] == "tag"}
    assert tags == {"plan.fit_seconds": "predicted 2, actual 3, ratio 1.50"}


def test_a_stage_has_the_allocator_that_plans_count_on_unless_its_user_sets_another(tree: Path) -> None:
    body = "import os, sys\nprint(os.environ['GLIBC_TUNABLES'], sys.argv[1:])"
    assert perform(tree, body).stdout == "glibc.malloc.tcache_count=0 []\n"
    own = perform(tree, body, GLIBC_TUNABLES="glibc.malloc.perturb=1")
    assert own.stdout == "glibc.malloc.perturb=1 []\n"
