"""Predictions, kept until a run shows how it was."""

from pathlib import Path
from typing import Any

from reprolm.config import read_params
from reprolm.journal import Journal
from reprolm.tracking import planned
from reprolm.tracking.location import executions
from reprolm.tracking.record import JOURNAL, parameters
from tests.settings import ROOT

PARAMS = read_params(ROOT / "params.yaml")
ACTUAL = {"fit_seconds": 110.0, "peak_bytes": 6.6e8}


def changed(section: str, **values: Any) -> dict[str, Any]:
    return PARAMS | {section: PARAMS[section] | values}


def execution(root: Path, name: str, params: dict[str, Any], at: int, numbers: dict[str, float]) -> None:
    with Journal(executions(root) / name / JOURNAL) as journal:
        journal.append({"at": at, "kind": "opened", "params": parameters(params)})
        journal.append({"at": at, "kind": "numbers", "stage": "train", "numbers": numbers})


def test_a_prediction_is_found_by_the_parameters_that_training_hangs_on(tmp_path: Path) -> None:
    planned.keep(tmp_path, PARAMS, {"fit_seconds": 100.0, "peak_bytes": 6e8})
    tags = planned.compared(tmp_path, PARAMS, ACTUAL)
    assert tags["plan.fit_seconds"] == "predicted 100, actual 110, ratio 1.10"
    assert set(tags) == {"plan.fit_seconds", "plan.peak_bytes"}
    assert planned.compared(tmp_path, changed("sample", draws=7), ACTUAL) == tags
    assert planned.compared(tmp_path, changed("train", steps=900), ACTUAL) == {}


def test_what_was_not_known_is_not_compared(tmp_path: Path) -> None:
    planned.keep(tmp_path, PARAMS, {"fit_seconds": None, "peak_bytes": 6e8})
    assert set(planned.compared(tmp_path, PARAMS, ACTUAL)) == {"plan.peak_bytes"}


def test_a_damaged_prediction_ends_no_training(tmp_path: Path) -> None:
    planned.keep(tmp_path, PARAMS, ACTUAL)
    (path,) = (tmp_path / ".reprolm" / "plans").iterdir()
    path.write_text("{")
    assert planned.compared(tmp_path, PARAMS, ACTUAL) == {}


def test_the_newest_run_of_these_parameters_is_the_one_that_counts(tmp_path: Path) -> None:
    assert planned.measured(tmp_path, PARAMS) == {}
    execution(tmp_path, "a", PARAMS, 20, ACTUAL)
    execution(tmp_path, "b", PARAMS, 10, {"fit_seconds": 1.0, "peak_bytes": 1.0})
    execution(tmp_path, "c", changed("model", n_layers=3), 30, {"fit_seconds": 2.0, "peak_bytes": 2.0})
    execution(tmp_path, "d", PARAMS, 40, {"tokens_per_second": 3.0})
    assert planned.measured(tmp_path, PARAMS) == ACTUAL
