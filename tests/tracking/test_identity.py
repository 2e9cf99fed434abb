import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from reprolm.tracking import identity
from reprolm.tracking.identity import Execution, is_dvc, kind, lives
from tests.tracking.executions import gone, here


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("/v/bin/python /v/bin/dvc repro", "repro"),
        ("dvc repro train", "repro"),
        ("dvc repro exp", "repro"),
        ("python -m dvc exp run --temp -S seed=2", "exp"),
        ("dvc -v experiments run", "exp"),
        ("dvc --cd elsewhere exp run", "exp"),
        ("/v/bin/python /v/bin/dvc exp exec-run --infofile x", "queue"),
        ("python stages/train.py", "manual"),
        ("bash -c dvc", "manual"),
        ("python dvc.py repro", "manual"),
        ("vim params.yaml dvc", "manual"),
    ],
)
def test_how_dvc_was_asked_is_read_off_its_command(command: str, found: str) -> None:
    assert kind(command.split()) == found
    assert is_dvc(command.split()) == (found != "manual")


def imitate(path: Path, words: list[str], environment: dict[str, str]) -> dict[str, object]:
    """The execution that a child of a process named `dvc` finds."""
    script = path / "dvc"
    child = (
        "import json; from reprolm.tracking.identity import Execution; "
        "print(json.dumps(Execution.current().record()))"
    )
    script.write_text(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])\n")
    command = [sys.executable, str(script), *words]
    source = {"PYTHONPATH": str(Path(identity.__file__).parents[2])}
    done = subprocess.run(command, env=os.environ | source | environment, capture_output=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_the_dvc_above_a_stage_is_its_execution_and_an_experiment_bears_its_name(tmp_path: Path) -> None:
    names = {"DVC_EXP_NAME": "vexed-moth", "DVC_EXP_BASELINE_REV": "c0ffee"}
    found = imitate(tmp_path, ["exp", "run"], names)
    assert (found["kind"], found["name"], found["baseline"]) == ("exp", "vexed-moth", "c0ffee")
    assert str(found["command"]).endswith("dvc exp run")


def test_an_experiment_name_of_the_users_shell_names_no_repro(tmp_path: Path) -> None:
    found = imitate(tmp_path, ["repro"], {"DVC_EXP_NAME": "leaked", "DVC_EXP_BASELINE_REV": "leaked"})
    assert (found["kind"], found["name"], found["baseline"]) == ("repro", None, None)


def test_without_dvc_the_stage_is_its_own_execution() -> None:
    execution = Execution.current()
    assert (execution.pid, execution.kind) == (os.getpid(), "manual")
    assert execution.alive


def test_a_step_of_the_clock_makes_no_second_execution(tmp_path: Path) -> None:
    first = Execution("host", 7, 1000.0, "repro", "dvc repro")
    first.directory(tmp_path).mkdir()
    assert Execution("host", 7, 1001.2, "repro", "dvc repro").directory(tmp_path).name == first.id
    assert Execution("host", 7, 1090.0, "repro", "dvc repro").directory(tmp_path).name != first.id
    assert Execution("host", 77, 1000.0, "repro", "dvc repro").directory(tmp_path).name != first.id


def test_a_process_lives_only_as_the_one_that_started_then() -> None:
    pid, born = here()
    assert lives(pid, born)
    assert not lives(pid, born - 3600)
    assert not lives(*gone())


def test_a_zombie_does_not_live() -> None:
    process = subprocess.Popen(["true"])
    zombie = psutil.Process(process.pid)
    while zombie.status() != psutil.STATUS_ZOMBIE:
        pass
    assert not lives(process.pid, zombie.create_time())
    process.wait()


def test_a_process_of_another_machine_is_taken_to_live() -> None:
    assert Execution("elsewhere", 2**22 + 1, 1.0, "repro", "dvc repro").alive
