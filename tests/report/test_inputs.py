"""Reading what other stages left."""

from pathlib import Path

import numpy as np
import pytest

from reprolm.errors import Exit, ReprolmError
from reprolm.report.inputs import gather, read_columns
from reprolm.store import publish_file


def test_empty_and_infinite_cells_are_gaps(tmp_path: Path) -> None:
    publish_file(tmp_path / "a.csv", "step,loss\n0,\n1,2.5\n2,inf\n")
    columns = read_columns(tmp_path / "a.csv")
    np.testing.assert_array_equal(columns["step"], [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(columns["loss"], [np.nan, 2.5, np.nan])


@pytest.mark.parametrize(("content", "lengths"), [("", {}), ("step,loss\n", {"step": 0, "loss": 0})])
def test_a_curve_without_rows_has_nothing_to_show(
    tmp_path: Path, content: str, lengths: dict[str, int]
) -> None:
    publish_file(tmp_path / "a.csv", content)
    assert {name: len(column) for name, column in read_columns(tmp_path / "a.csv").items()} == lengths


def test_a_row_cut_short_has_gaps(tmp_path: Path) -> None:
    publish_file(tmp_path / "a.csv", "step,tokens,loss\n0,1,2\n1,")
    assert np.isnan(read_columns(tmp_path / "a.csv")["loss"][1])


def test_a_cell_that_is_no_number_is_refused_with_its_line(tmp_path: Path) -> None:
    publish_file(tmp_path / "a.csv", "step,loss\n0,1\n1,high\n")
    with pytest.raises(ReprolmError, match=r"a\.csv:3: is not a row of numbers .*'high'") as refused:
        read_columns(tmp_path / "a.csv")
    assert refused.value.exit == Exit.INTEGRITY


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("metrics/train.json", "[1, 2]"),
        ("metrics/train.json", "{"),
        ("reports/samples/samples.json", '[{"prompt": 1, "text": "x"}]'),
        ("reports/samples/samples.json", "[3]"),
        ("reports/samples/samples.json", "7"),
    ],
)
def test_files_of_another_form_are_refused_by_name(tmp_path: Path, path: str, content: str) -> None:
    publish_file(tmp_path / path, content)
    with pytest.raises(ReprolmError, match=path) as refused:
        gather(tmp_path)
    assert refused.value.exit == Exit.INTEGRITY


def test_settings_of_a_sample_are_all_but_prompt_text_and_draw(root: Path) -> None:
    sample = gather(root).samples[2]
    assert sample.settings == {"temperature": 0.8, "top_k": 50, "top_p": None}
    assert sample.draw == 1
