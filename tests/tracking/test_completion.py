"""An execution that is over: did DVC end, or was it killed between two stages?"""

import os
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reprolm.tracking.completion import completed, consistent, targets
from reprolm.tracking.destination import Destination
from reprolm.tracking.mirror import Mirror
from reprolm.tracking.pipeline import stages_of
from tests.settings import ROOT
from tests.tracking.executions import Written
from tests.tracking.runs import runs

NOW = 1_790_000_000_000


def locked(train: str = "1", evaluated: str = "1") -> dict[str, Any]:
    """A lock in which `train` left a model, and `evaluate` was made from one."""
    return {
        "train": {"deps": [{"path": "src", "md5": "s"}], "outs": [{"path": "models/model", "md5": train}]},
        "evaluate": {"deps": [{"path": "models/model", "md5": evaluated}], "outs": []},
    }


def put(root: Path, stages: dict[str, Any], at: int = NOW) -> None:
    with (root / "dvc.lock").open("w") as file:
        YAML().dump({"schema": "2.0", "stages": stages}, file)
    os.utime(root / "dvc.lock", (at / 1000, at / 1000))


def test_the_lock_of_this_repository_is_consistent() -> None:
    stages = stages_of((ROOT / "dvc.lock").read_bytes())
    assert {"download", "train", "report"} <= set(stages)
    assert consistent(stages)


def test_a_stage_made_from_an_older_output_makes_a_lock_inconsistent_unless_it_was_not_asked_for() -> None:
    assert consistent(locked())
    assert not consistent(locked(train="2"))
    assert consistent(locked(train="2"), ["train"])
    assert not consistent(locked(train="2"), ["evaluate"])


@pytest.mark.parametrize(
    ("command", "stages", "at", "done"),
    [
        ("dvc repro", locked(), NOW, True),
        ("dvc repro", locked(train="2"), NOW, False),
        ("dvc repro", locked(), NOW - 2000, False),  # killed before DVC wrote down what ended
        ("dvc repro train", locked(train="2"), NOW, True),
        ("dvc repro evaluate", locked(train="2"), NOW, False),
        ("dvc exp run -S seed=2", locked(train="2"), NOW, False),
        ("dvc exp run --temp -S seed=2", locked(), NOW, False),
    ],
)
def test_what_was_asked_for_is_done_or_not(
    tmp_path: Path, command: str, stages: dict[str, Any], at: int, done: bool
) -> None:
    put(tmp_path, stages, at)
    assert completed(tmp_path, "repro", command, {"train": NOW - 1000}) is done


def test_a_stage_by_hand_is_an_execution_of_its_own(tmp_path: Path) -> None:
    assert completed(tmp_path, "manual", "python stages/train.py", {"train": NOW})


def test_a_value_of_an_option_is_no_target() -> None:
    assert targets("dvc exp run --name train -C data --set-param seed=1") == []


def test_a_dvc_killed_between_two_stages_leaves_a_run_that_is_killed(
    repository: Path, to: Destination
) -> None:
    written = Written(repository, command="dvc repro")
    written.train(1)
    put(repository, locked(train="2"))
    mirror = Mirror(written.directory, to)
    while not mirror.ship():
        continue
    assert runs(to)[0].info.status == "KILLED"
