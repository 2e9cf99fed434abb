"""What an experiment takes besides training, as the runs here showed it."""

from pathlib import Path

import pytest

from reprolm.journal import Journal
from reprolm.plan.around import STATED_SECONDS, around
from reprolm.tracking.location import executions
from reprolm.tracking.record import JOURNAL

STAGES = ("download", "encode", "train", "evaluate", "sample", "report")


def execution(
    root: Path, name: str, rest: float, *, fit: float = 100.0, data: float = 50.0, without: str = ""
) -> None:
    """DVC starts at 1,000 s; `data` goes into download and encode, `fit` and `rest` into what follows."""
    at = 1_003_000.0
    with Journal(executions(root) / name / JOURNAL) as journal:
        journal.append({"at": at, "kind": "opened", "execution": {"started": 1000.0}})
        for stage in STAGES:
            if stage == without:
                journal.append({"at": at, "kind": "cached", "stage": stage, "numbers": {}})
                continue
            journal.append({"at": at, "kind": "started", "stage": stage})
            own = {"download": data / 2, "encode": data / 2, "train": fit, "evaluate": rest - 3.0}
            at += 1000 * own.get(stage, 0.0)
            if stage == "train":
                journal.append({"at": at, "kind": "numbers", "stage": stage, "numbers": {"fit_seconds": fit}})
            journal.append({"at": at, "kind": "ended", "stage": stage, "status": "done"})


def test_it_is_the_median_of_the_last_runs_without_training_and_making_data(tmp_path: Path) -> None:
    for index, rest in enumerate((20.0, 90.0, 25.0)):
        execution(tmp_path, str(index), rest, fit=100.0 * index, data=30.0 * index)
    found = around(tmp_path)
    assert found.seconds == pytest.approx(25.0)
    assert found.basis == "as in runs here"


@pytest.mark.parametrize("without", ["train", "evaluate", "report"])
def test_a_run_that_took_some_of_it_from_the_cache_does_not_tell(tmp_path: Path, without: str) -> None:
    execution(tmp_path, "a", 70.0, without=without)
    found = around(tmp_path)
    assert (found.seconds, found.basis) == (STATED_SECONDS, "no run here tells")


def test_data_from_the_cache_change_nothing(tmp_path: Path) -> None:
    execution(tmp_path, "a", 70.0, without="download", data=0.0)
    assert around(tmp_path).seconds == pytest.approx(70.0)


def test_a_journal_that_is_damaged_or_still_written_is_passed_over(tmp_path: Path) -> None:
    execution(tmp_path, "a", 40.0)
    for name, line in {"b": "{", "c": ""}.items():
        (executions(tmp_path) / name).mkdir()
        (executions(tmp_path) / name / JOURNAL).write_text(line)
    execution(tmp_path, "d", 90.0)
    journal = executions(tmp_path) / "d" / JOURNAL
    _, *rest = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([b"{\n", *rest]))
    assert around(tmp_path).seconds == pytest.approx(40.0)
