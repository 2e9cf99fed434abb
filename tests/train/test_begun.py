"""A training that starts anew beside an unfinished one says why."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from reprolm.device import fingerprint
from reprolm.store import locked
from reprolm.train import finished
from reprolm.train.begun import KEY, begin, differences
from reprolm.train.key import checkpoint_key, key_parts, parts_of_params
from tests.settings import model_config, raw, train_config

BEGAN = "train: starts anew: the training that stopped after step "


def parts(data: str = "data", threads: int = 2, cbwr: str | None = None, **train: Any) -> dict[str, Any]:
    bits = fingerprint(torch.device("cpu"), threads)
    bits["environment"] |= {"MKL_CBWR": cbwr}
    return key_parts(model_config(), train_config(**train), 1, data, bits)


def stopped(root: Path, step: int, made_of: dict[str, Any]) -> Path:
    """The directory of a training that was killed after a checkpoint."""
    directory = root / checkpoint_key(made_of)
    begin(directory, made_of)
    (directory / f"step-{step:09d}").mkdir()
    return directory


def line(root: Path, made_of: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    """What a training says when it begins."""
    capsys.readouterr()
    begin(root / checkpoint_key(made_of), made_of)
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"cbwr": "AVX2"}, "another MKL_CBWR (unset, now AVX2)"),
        ({"threads": 4}, "another threads (2, now 4)"),
        ({"data": "other"}, "other data"),
        ({"learning_rate": 0.5}, "another train.learning_rate (0.03, now 0.5)"),
        ({"max_grad_norm": None}, "another train.max_grad_norm (1.0, now null)"),
        ({"compile": True}, "another train.compile (false, now true)"),
        ({"ema_decay": 0.5, "data": "b"}, "another train.ema_decay (null, now 0.5), other data"),
    ],
    ids=str,
)  # fmt: skip
def test_the_line_names_what_is_another_with_both_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: dict[str, Any], why: str
) -> None:
    stopped(tmp_path, 857, parts())
    assert line(tmp_path, parts(**other), capsys) == f"{BEGAN}857 had {why}"


def test_other_code_another_seed_and_another_architecture_are_told(tmp_path: Path, capsys: Any) -> None:
    before = parts()
    stopped(tmp_path, 1200, before)
    for name, value, why in (
        ("code", "0", "other code"), ("seed", 2, "another seed (1, now 2)"),
        ("model", before["model"] | {"d_ff": 32}, "another model.d_ff (64, now 32)"),
    ):  # fmt: skip
        assert line(tmp_path, before | {name: value}, capsys) == f"{BEGAN}1,200 had {why}"


def test_of_many_differences_three_are_told_and_a_word_stands_for_its_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped(tmp_path, 5, parts())
    other = parts(data="other", threads=4, batch_size=8, optimizer="sgd")
    three = "another threads (2, now 4), another train.optimizer (muon, now sgd), another train.batch_size "
    assert line(tmp_path, other, capsys) == f"{BEGAN}5 had {three}(4, now 8) and 1 more"
    assert differences(parts(), parts(optimizer="sgd")) == ["another train.optimizer (muon, now sgd)"]


def test_nothing_is_said_where_no_other_training_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = parts(threads=4)
    assert not line(tmp_path, other, capsys)  # the first of all
    directory = tmp_path / checkpoint_key(other)
    assert not line(tmp_path, parts(), capsys)  # the other had no checkpoint yet
    (directory / "step-000000003").mkdir()
    assert line(tmp_path, parts(), capsys)
    third = stopped(tmp_path, 5, parts(threads=3))
    assert not line(tmp_path, other, capsys)  # goes on
    shutil.rmtree(third)
    with locked(directory):
        assert not line(tmp_path, parts(), capsys)  # a process is at it
    finished.mark(directory, "digest")
    assert not line(tmp_path, parts(), capsys)  # it was finished
    begin(directory, other)
    assert line(tmp_path, parts(), capsys)
    (directory / KEY).write_text("{")
    assert not line(tmp_path, parts(), capsys)  # nobody knows how it began


def test_of_several_the_most_similar_is_named_and_of_those_the_furthest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, steps in (("one", (8, 7)), ("two", (7, 8))):
        stopped(tmp_path / name, 900, parts(threads=4, data="other"))
        for threads, step in zip((4, 3), steps, strict=True):
            stopped(tmp_path / name, step, parts(threads=threads))
    assert line(tmp_path / "one", parts(), capsys) == f"{BEGAN}8 had another threads (4, now 2)"
    assert line(tmp_path / "two", parts(), capsys) == f"{BEGAN}8 had another threads (3, now 2)"


def test_what_is_kept_makes_the_key_and_is_what_params_yaml_says(tmp_path: Path) -> None:
    made_of = parts()
    directory = stopped(tmp_path, 1, made_of)
    kept = json.loads((directory / KEY).read_text())
    assert checkpoint_key(kept) == directory.name
    assert differences(kept, copy.deepcopy(made_of)) == []
    params = {"seed": 1, "model": raw("model"), "train": raw("train")}
    again = parts_of_params(params, "data", made_of["fingerprint"])
    assert again | {"model": made_of["model"]} == made_of
