"""What a sweep takes: each model planned once, each training counted once."""

from pathlib import Path
from typing import Any

import pytest

from reprolm.config import read_params
from reprolm.errors import refuse
from reprolm.sweep import cost
from reprolm.sweep.cells import Cell, cells
from reprolm.sweep.grammar import axes
from tests.settings import ROOT


def grid(*words: str) -> list[Cell]:
    return cells(read_params(ROOT / "params.yaml"), axes(words))


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The layers of each model that is planned; a layer trains for 10 s, with 3 s around it."""
    layers: list[int] = []

    def plan(root: Path, params: dict[str, Any], *, vocab_size: int | None, seconds: float | None) -> Any:
        layers.append(params["model"]["n_layers"])
        disk = {"model_bytes": 100, "checkpoint_bytes": 50, "checkpoints_kept": 2, "free_bytes": 10**9}
        return {
            "device": "cpu", "threads": 1, "disk": disk,
            "seconds": {"train": 10.0 * layers[-1], "around": 3.0},
            "memory": {"peak_bytes": 3 * 10**9, "free_bytes": 5 * 10**9},
        }  # fmt: skip

    monkeypatch.setattr(cost, "plan", plan)
    monkeypatch.setattr(cost, "cores", lambda: 2)
    return layers


def test_seeds_and_rates_are_planned_once_but_all_are_trained(planned: list[int]) -> None:
    made = grid("model.n_layers=1,2", "seed=range(3)", "train.learning_rate=0.1,0.2")
    found = cost.cost(ROOT, made, 1)
    assert sorted(planned) == [1, 2]
    assert found.trainings == 12
    assert found.seconds == 6 * 10 + 6 * 20 + 12 * 3
    assert found.disk_bytes == 12 * 100 + 100 + 3 * 50


def test_what_trains_the_same_counts_once_and_what_is_around_it_for_each(planned: list[int]) -> None:
    found = cost.cost(ROOT, grid("sample.temperature=0.5,1.0", "model.n_layers=1"), 1)
    assert found.trainings == 1
    assert found.seconds == 10 + 2 * 3
    assert any("1 of them train" in line for line in cost.told(found, 2, 2))


def test_jobs_divide_the_time_as_far_as_the_cores_go_and_add_up_the_memory(planned: list[int]) -> None:
    made = grid("seed=range(8)", "model.n_layers=1")
    assert [cost.cost(ROOT, made, jobs).seconds for jobs in (1, 2, 4)] == [104, 52, 52]
    lines = "\n".join(cost.told(cost.cost(ROOT, made, 4), 8, 4))
    assert "8 experiments, 4 at a time: about 52.0 s, with 3.0 s around each training" in lines
    assert "need 12.0 GB of memory where 5.00 GB are free" in lines
    assert "4 jobs of 1 threads share 2 cores" in lines


def test_before_a_text_is_there_a_usual_number_of_characters_is_planned_with(tmp_path: Path) -> None:
    small = ("model.n_layers=1", "model.n_heads=2", "model.n_kv_heads=2", "model.d_model=32", "model.d_ff=64")
    (cell,) = grid("tokenizer.kind=character", "train.steps=50", *small)
    lines = list(cost.told(cost.cost(tmp_path, [cell], 1), 1, 1))
    assert "not known" not in lines[0]
    assert any("characters of the text are not counted yet: planned with 100" in line for line in lines)


def test_what_cannot_be_planned_is_said_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(*_: Any, **__: Any) -> Any:
        raise refuse("tokenizer.kind", "has as many entries as the text has characters")

    monkeypatch.setattr(cost, "plan", plan)
    lines = list(cost.told(cost.cost(ROOT, grid("seed=1,2"), 1), 2, 1))
    assert "time not known, disk not known" in lines[0]
    assert "tokenizer.kind" in lines[1]
