import json
import os
from pathlib import Path
from typing import Any

import pytest

from reprolm.config import read_params
from reprolm.journal import read
from reprolm.store import directory_digest, file_sha256, publish_directory, publish_file
from reprolm.tracking.record import FILES, JOURNAL, KEPT_LOCK, Record, parameters
from tests.settings import ROOT
from tests.tracking.executions import workspace


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def records(record: Record) -> list[dict[str, Any]]:
    assert record.directory is not None
    return read(record.directory / JOURNAL)[0]


def test_the_stages_of_an_execution_share_a_journal_that_is_opened_once(root: Path) -> None:
    first = Record(root, "download", {"seed": 1})
    first.end(0)
    second = Record(root, "train_tokenizer", {"seed": 2})
    assert first.directory == second.directory
    found = records(second)
    assert [entry["kind"] for entry in found if entry["kind"] != "file"] == [
        "opened",
        "started",
        "ended",
        "started",
    ]
    assert found[0]["params"] == {"seed": 1}


def test_what_dvc_skipped_is_recorded_with_numbers_curve_and_digest(root: Path) -> None:
    workspace(root)
    with publish_directory(root / "models" / "model") as out:
        (out / "weights").write_text("w")
    record = Record(root, "evaluate", {})
    cached = {entry["stage"]: entry for entry in records(record) if entry["kind"] == "cached"}
    assert set(cached) == {"encode", "train"}
    assert cached["train"]["numbers"] == {"best_validation_loss": 2.5}
    assert cached["train"]["outputs"] == {"model": directory_digest(root / "models" / "model")}
    curve = next(entry for entry in records(record) if entry["kind"] == "curve")
    assert record.directory is not None
    kept = record.directory / FILES / curve["path"]
    assert kept.read_bytes() == (root / "plots" / "train.csv").read_bytes()


def test_the_data_of_a_download_that_dvc_skipped_come_from_its_tracked_files(root: Path) -> None:
    publish_file(root / "metrics" / "download.json", "{}\n")
    with publish_directory(root / "data" / "corpus") as out:
        for split in ("train", "validation", "test"):
            (out / f"{split}.txt").write_text(f"text to {split}")
    record = Record(root, "train", {"data": {"source": "files"}})
    data = [entry for entry in records(record) if entry["kind"] == "dataset"]
    assert [entry["name"] for entry in data] == ["files/train", "files/validation", "files/test"]
    assert [entry["digest"] for entry in data] == [file_sha256(root / entry["source"]) for entry in data]
    assert len({entry["digest"] for entry in data}) == len(data)
    assert {entry["stage"] for entry in data} == {"download"}


def test_the_closing_stage_keeps_the_lock_that_the_others_left(root: Path) -> None:
    entries = "stages:\n  train:\n    cmd: a\n"
    (root / "dvc.lock").write_text(entries)
    first = Record(root, "report", {})
    first.add_lock()
    (root / "dvc.lock").write_text(entries + "  report:\n    cmd: of the run before\n")
    first.add_lock()
    one, other = (entry["value"] for entry in records(first) if entry["kind"] == "tag")
    assert one == other
    assert first.directory is not None
    assert "run before" in (first.directory / FILES / KEPT_LOCK).read_text()


def test_a_stage_that_ran_before_is_not_taken_for_skipped(root: Path) -> None:
    workspace(root)
    Record(root, "train", {}).end(0)
    record = Record(root, "report", {})
    assert {entry["stage"] for entry in records(record) if entry["kind"] == "cached"} == {"encode"}


def test_a_sibling_that_may_still_run_is_not_taken_for_skipped(root: Path) -> None:
    workspace(root)
    publish_file(root / "metrics" / "evaluate.json", "{}\n")
    assert "evaluate" not in {entry.get("stage") for entry in records(Record(root, "sample", {}))}


def test_files_are_kept_as_they_were_when_they_were_recorded(root: Path) -> None:
    record = Record(root, "report", {})
    (root / "page.html").write_text("then")
    record.add_file(root / "page.html", "report")
    (root / "page.html").write_text("now")
    assert record.directory is not None
    assert (record.directory / FILES / "report" / "page.html").read_text() == "then"


def test_a_table_is_kept_row_by_row_under_its_columns(root: Path) -> None:
    record = Record(root, "sample", {})
    record.add_table("samples.json", {"prompt": ["A", "B"], "text": ["é", "\x00"]})
    assert record.directory is not None
    table = json.loads((record.directory / FILES / "samples.json").read_text())
    assert table == {"columns": ["prompt", "text"], "data": [["A", "é"], ["B", "\x00"]]}


def test_a_record_that_cannot_be_written_ends_no_stage(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / ".reprolm").write_text("not a folder")
    record = Record(root, "train", {})
    record.add("point", step=1, values={})
    record.add_file(root / "params.yaml", "x")
    record.end(0)
    assert record.directory is None
    assert capsys.readouterr().err.count("tracking: the record is incomplete") == 1


def test_after_a_record_that_was_half_written_the_next_ones_stand(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, write = Record(root, "train", {}), os.write

    def full(file: int, line: bytes) -> int:
        write(file, line[: len(line) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        record.add("point", step=1, values={"train/loss": 1.0})
    record.add("point", step=2, values={"train/loss": 2.0})
    record.end(0)
    kinds = [(entry["kind"], entry.get("step")) for entry in records(record)]
    assert kinds[-3:] == [("started", None), ("point", 2), ("ended", None)]


def test_a_file_that_is_not_there_costs_only_itself(root: Path) -> None:
    record = Record(root, "train", {})
    record.add_file(root / "missing.csv", "plots")
    record.end(0)
    assert [entry["kind"] for entry in records(record)][-2:] == ["started", "ended"]


def test_a_damaged_number_of_a_skipped_stage_ends_no_stage(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace(root)
    (root / "metrics" / "train.json").write_text("{")
    record = Record(root, "report", {})
    assert "metrics/train.json" in capsys.readouterr().err
    assert [entry["kind"] for entry in records(record)] == ["opened", "cached", "file", "started"]


def test_the_parameters_that_act_are_recorded_and_all_where_some_are_wrong() -> None:
    raw = read_params(ROOT / "params.yaml")
    acting = parameters(raw)
    assert acting["train.learning_rate"] == raw["train"]["learning_rate"]
    assert "data.url.name" not in acting
    assert parameters(raw | {"typo": {"a": 1}})["typo.a"] == 1
