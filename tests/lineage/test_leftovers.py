"""Checkpoints that nobody resumed."""

import json
from pathlib import Path

import pytest

from reprolm.lineage.leftovers import clean, leftovers
from reprolm.store import locked, publish_json
from reprolm.tracking.lineage import lineage_of_machine


def training(root: Path, key: str, step: int, **fingerprint: str) -> Path:
    directory = root / ".reprolm" / "checkpoints" / key
    (directory / f"step-{step}").mkdir(parents=True)
    (directory / f"step-{step}" / "weights").write_bytes(bytes(step * 1000))
    publish_json(directory / "key.json", {"fingerprint": fingerprint})
    return directory


def test_they_are_named_with_step_and_size_and_those_of_another_environment_with_why(tmp_path: Path) -> None:
    here = lineage_of_machine()
    training(tmp_path, "aa", 5, torch=here["version.torch"])
    training(tmp_path, "bb", 9, torch="1.0.0", numpy=here["version.numpy"])
    first, second = leftovers(tmp_path)
    assert str(second) == "aa: step 5, 0.0 MB"
    assert str(first) == "bb: step 9, 0.0 MB, of torch 1.0.0: is never resumed here"
    assert second.bytes == 5000 + (second.directory / "key.json").stat().st_size


def test_only_what_no_process_is_at_is_removed_and_only_if_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    idle, busy = training(tmp_path, "aa", 5), training(tmp_path, "bb", 9)
    assert clean(tmp_path, remove=False) == []
    assert "reprolm clean --remove" in capsys.readouterr().out
    with locked(busy):
        assert [each.directory for each in clean(tmp_path, remove=True)] == [idle]
    assert (idle.exists(), busy.exists()) == (False, True)


def test_a_fingerprint_that_cannot_be_read_is_no_reason(tmp_path: Path) -> None:
    directory = training(tmp_path, "aa", 5)
    (directory / "key.json").write_text(json.dumps({"torch": "1"})[:-1])
    assert [each.other for each in leftovers(tmp_path)] == [()]
