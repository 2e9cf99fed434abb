"""A grid's experiments: checked before anything is queued, named so that tables read well."""

import subprocess

import pytest

from reprolm.config import read_params
from reprolm.errors import Exit, ReprolmError
from reprolm.sweep.cells import Cell, cells, label
from reprolm.sweep.grammar import axes
from tests.settings import ROOT


def grid(*words: str) -> list[Cell]:
    return cells(read_params(ROOT / "params.yaml"), axes(words))


def test_an_experiment_has_the_whole_parameters_with_its_values() -> None:
    made = grid("model.n_layers=1,2", "seed=3")
    assert [cell.name for cell in made] == ["n_layers=1", "n_layers=2"]
    assert [cell.params["model"]["n_layers"] for cell in made] == [1, 2]
    assert all(cell.params["seed"] == cell.acting["seed"] == 3 for cell in made)
    assert len({cell.id for cell in made}) == 2


def test_combinations_that_act_the_same_are_one() -> None:
    made = grid("model.position=rope,none", "model.rope.theta=1e4,1e5")
    assert [cell.name for cell in made] == ["position=rope,theta=10000.0", "position=rope,theta=100000.0",
                                            "position=none,theta=10000.0"]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("train.lerning_rate=1", "did you mean train.learning_rate"),
        ("n_layers=1", "did you mean model.n_layers"),
        ("train=1", "is a group"),
        ("seed=-1", "seed: has a wrong value"),
        ("evaluate.stride=32,64,1000", "in 3 of 9 combinations, the first stride=1000,length=1"),
        ("train.steps=1.5", "train.steps: has a wrong value"),
    ],
)
def test_what_check_would_refuse_is_refused_with_the_combinations_that_have_it(word: str, told: str) -> None:
    with pytest.raises(ReprolmError, match=told) as caught:
        grid(word, "data.synthetic.length=1,2,3")
    assert caught.value.exit == Exit.PARAMETERS
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    "value",
    [
        "a b/c",
        "..",
        "~^:?*[\\",
        "x.lock",
        "trailing.",
        "@{",
        "",
        "é中",
        ["a", "b"],
        None,
        True,
        1e-05,
        "-x",
        "y" * 300,
    ],
)
def test_every_value_makes_a_name_that_git_takes(value: object) -> None:
    name = f"refs/exps/00/{'0' * 38}/{label({'key': value})}"
    assert subprocess.run(["git", "check-ref-format", name], check=False).returncode == 0
    assert len(label({"key": value})) <= 80
