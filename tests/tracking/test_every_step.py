"""Numbers of every step, from text to parquet and back."""

import json
from pathlib import Path

import pandas as pd
import pytest

from reprolm.tracking import every_step
from reprolm.tracking.destination import Destination
from reprolm.tracking.every_step import read_parquet, shown_as, write_parquet
from reprolm.tracking.kept import kept
from reprolm.tracking.shipper import sync
from tests.tracking.executions import Written
from tests.tracking.runs import files, runs

COLUMNS = ("loss", "gradient_norm", "learning_rate")
ROWS = [(4.158883094787598, float("inf"), 1e-5), (float("nan"), 0.0, 5e-324), (-0.0, 1 / 3, 0.1)]


def text(rows: list[tuple[float, ...]]) -> str:
    """As a training writes it."""
    lines = [f"{step},{','.join(map(repr, row))}\n" for step, row in enumerate(rows, 1)]
    return "".join([f"step,{','.join(COLUMNS)}\n", *lines])


@pytest.mark.parametrize("rows", [[], ROWS[:1], ROWS, ROWS * 100])
def test_every_bit_of_every_number_comes_back(
    tmp_path: Path, rows: list[tuple[float, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(every_step, "PIECE_BYTES", 1000)
    (tmp_path / "steps.csv").write_text(text(rows))
    write_parquet(tmp_path / "steps.csv", tmp_path / "steps.parquet")
    assert list(map(repr, read_parquet(tmp_path / "steps.parquet", COLUMNS))) == list(map(repr, rows))
    steps = pd.read_parquet(tmp_path / "steps.parquet")["step"]
    assert (str(steps.dtype), list(steps)) == ("int64", list(range(1, len(rows) + 1)))


def test_files_of_other_names_stay_as_they_are() -> None:
    paths = [Path("train/steps.csv"), Path("train/speed.csv"), Path("plots/train.csv"), Path("a.json")]
    shown = ["train/steps.parquet", "train/speed.parquet", "plots/train.csv", "a.json"]
    assert [shown_as(path).as_posix() for path in paths] == shown


@pytest.mark.parametrize("damaged", ["", "step,loss\n1,2.5,3\n", "step,loss\n1,much\n"])
def test_a_text_that_is_no_table_is_sent_as_it_is(repository: Path, to: Destination, damaged: str) -> None:
    written = Written(repository)
    written.start("train")
    written.file("train", "train/steps.csv", damaged)
    written.end("train")
    sync(repository)
    assert files(to, runs(to)[0]) == ["train/steps.csv"]


def test_a_run_that_has_the_text_is_compared_too(repository: Path, to: Destination) -> None:
    written = Written(repository, name="vexed-moth")
    written.train(1)
    sync(repository)
    (run,) = runs(to)
    for name, content in {"certificate.json": json.dumps({"steps": {}}), "steps.csv": text(ROWS)}.items():
        (repository / name).write_text(content)
        to.client.log_artifact(run.info.run_id, str(repository / name), "train")
    assert kept(repository, "vexed-moth") == kept(repository, str(repository))


@pytest.mark.parametrize("folder", ["train", "forensics"])
def test_a_run_keeps_every_step_as_a_table_that_is_compared_with_the_text_of_a_folder(
    repository: Path, to: Destination, tmp_path: Path, folder: str
) -> None:
    written = Written(repository, name="vexed-moth")
    written.start("train")
    for name, content in {"certificate.json": json.dumps({"steps": {}}), "steps.csv": text(ROWS)}.items():
        written.file("train", f"{folder}/{name}", content)
        (repository / name).write_text(content)
    written.end("train")
    sync(repository)
    (run,) = runs(to)
    assert files(to, run) == [f"{folder}/certificate.json", f"{folder}/steps.parquet"]
    there = kept(repository, "vexed-moth")
    assert there == kept(repository, str(repository))
    assert there.losses[1] == ("nan", "0.0")
