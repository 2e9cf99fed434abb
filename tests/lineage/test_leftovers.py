"""Checkpoints that nobody resumed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reprolm.lineage.leftovers import clean, compared, leftovers, present
from reprolm.store import directory_digest, locked, publish_json
from reprolm.train.key import checkpoint_key
from tests.settings import ROOT
from tests.tokens import patterned, write_tokens


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A place with parameters and tokens."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    write_tokens(tmp_path / "data" / "tokens", train=patterned(300), validation=patterned(100, seed=1))
    return tmp_path


def training(root: Path, step: int, parts: dict[str, Any], name: str = "") -> Path:
    """Checkpoints that lie under their key."""
    directory = root / ".reprolm" / "checkpoints" / (name or checkpoint_key(parts))
    (directory / f"step-{step:09d}").mkdir(parents=True)
    (directory / f"step-{step:09d}" / "weights").write_bytes(bytes(step * 100_000))
    publish_json(directory / "key.json", parts)
    return directory


def other(parts: dict[str, Any], group: str, **values: Any) -> dict[str, Any]:
    return parts | {group: parts[group] | values}


def test_what_dvc_repro_goes_on_from_is_told_from_what_had_another_environment_or_parameter(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = present(repository)
    mode = now["fingerprint"]["environment"] | {"MKL_CBWR": "AVX2"}
    kinds = (
        (now, "dvc repro goes on from it"),
        (other(now, "fingerprint", environment=mode), "another MKL_CBWR (AVX2, now unset)"),
        (other(now, "fingerprint", threads=7), "another threads (7, now 2)"),
        (other(now, "fingerprint", torch="1.0.0"), "another torch (1.0.0, now "),
        (other(now, "train", compile=True), "another train.compile (true, now false)"),
        (now | {"data": "x", "code": "y"}, "other data, other code"),
    )
    why = {training(repository, 9 - i, parts).name: words for i, (parts, words) in enumerate(kinds)}
    clean(repository, remove=False)
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{checkpoint_key(now)}: step 9, 0.9 MB: dvc repro goes on from it"
    for line, (name, words) in zip(lines, why.items(), strict=True):
        assert line.startswith(f"{name}: step ")
        assert words in line
        assert ("not resumed as things are, for it had" in line) == (name != checkpoint_key(now))
    assert last.startswith("clean: 3.9 MB in unfinished trainings; dvc repro goes on from 1 of 6; ")


def test_the_present_is_that_of_the_stage_that_trains(repository: Path) -> None:
    # the stage sets some of the environment itself
    script = (
        "import json, sys; sys.path.insert(0, 'stages'); import _stage, torch\n"
        "from reprolm.device import device, fingerprint; print(json.dumps(fingerprint(device(2), 2)))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "OMP_DYNAMIC"}
    made = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, check=True,
        timeout=120,
    )  # fmt: skip
    now = present(repository)
    assert now["fingerprint"] == json.loads(made.stdout)
    assert now["data"] == directory_digest(repository / "data" / "tokens")


def test_data_that_is_not_here_is_no_difference(repository: Path) -> None:
    now = present(repository)
    training(repository, 1, now)
    shutil.rmtree(repository / "data")
    assert [each.other for each in compared(leftovers(repository), present(repository))] == [()]


def test_parameters_that_are_wrong_are_told_and_hinder_nothing(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training(repository, 1, present(repository))
    path = repository / "params.yaml"
    path.write_text(path.read_text().replace("learning_rate: 0.03", "learning_rate: fast"))
    assert len(clean(repository, remove=True)) == 1
    said = capsys.readouterr().out
    assert "go on from is not known: train.learning_rate: has a wrong value (got fast" in said
    assert "step 1, 0.1 MB\n" in said


def test_only_what_no_process_is_at_is_removed_and_only_if_that_is_asked_for(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = present(repository)
    idle, busy = training(repository, 5, now, "aa"), training(repository, 9, now, "bb")
    assert clean(repository, remove=False) == []
    assert "reprolm clean --remove" in capsys.readouterr().out
    with locked(busy):
        assert [each.directory for each in clean(repository, remove=True)] == [idle]
    assert "clean: 0.5 MB removed" in capsys.readouterr().out
    assert (idle.exists(), busy.exists()) == (False, True)


def test_where_nothing_is_left_nothing_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert clean(tmp_path, remove=False) == []  # there is no params.yaml
    assert capsys.readouterr().out == "clean: 0.0 MB in unfinished trainings; dvc repro goes on from 0 of 0\n"


@pytest.mark.parametrize("content", ["{", "{}"])
def test_a_key_that_cannot_be_read_is_no_reason(repository: Path, content: str) -> None:
    now = present(repository)
    (training(repository, 5, now) / "key.json").write_text(content)
    (only,) = compared(leftovers(repository), now)
    assert only.other is None
    assert str(only) == f"{checkpoint_key(now)}: step 5, 0.5 MB"
