"""Datasets laid out as on the Hugging Face hub."""

import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from reprolm.corpus.build import build, source
from reprolm.errors import Exit, ReprolmError
from tests.corpus.test_build import STORIES, config


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two parquet files, as the hub keeps a split."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "dataset").mkdir()
    for part in (0, 1):
        table = pyarrow.table({"story": STORIES[30 * part : 30 * part + 30], "id": list(range(30))})
        pyarrow.parquet.write_table(table, tmp_path / "dataset" / f"train-{part:05}-of-00002.parquet")
    return tmp_path / "dataset"


def test_rows_come_in_order_and_the_rest_of_the_pipeline_is_the_same(dataset: Path, tmp_path: Path) -> None:
    options = config(source="huggingface", huggingface={"dataset": str(dataset), "field": "story"})
    assert [bytes(document).decode() for document in source(options, tmp_path)] == STORIES
    assert build(options, tmp_path / "corpus", tmp_path)["documents"] == 60


@pytest.mark.parametrize(
    ("changes", "line", "exit"),
    [
        (
            {"field": "text"},
            "data.huggingface.field: row 1 has no such text .got text; want story, id",
            Exit.DATA,
        ),
        ({"field": "story", "split": "dev"}, "data.huggingface.dataset: cannot be read", Exit.MISSING),
        ({"dataset": "/nowhere/at/all"}, "data.huggingface.dataset: cannot be read", Exit.MISSING),
    ],
)
def test_what_is_not_there_is_one_line(
    dataset: Path, tmp_path: Path, changes: dict[str, str], line: str, exit: Exit
) -> None:
    options = config(source="huggingface", huggingface={"dataset": str(dataset)} | changes)
    with pytest.raises(ReprolmError, match=line) as caught:
        list(source(options, tmp_path))
    assert caught.value.exit is exit


@pytest.mark.parametrize("revision", [None, "main"])
def test_a_dataset_of_the_hub_that_can_change_is_refused(tmp_path: Path, revision: str | None) -> None:
    options = config(source="huggingface", huggingface={"dataset": "someone/data", "revision": revision})
    with pytest.raises(ReprolmError, match=r"data\.huggingface\.revision: does not pin") as caught:
        list(source(options, tmp_path))
    assert caught.value.exit is Exit.PARAMETERS


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(
        ReprolmError, match=r"needs the package datasets \(want pip install 'reprolm\[huggingface"
    ):
        list(source(config(source="huggingface"), tmp_path))
