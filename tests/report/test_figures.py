"""The figures: what is drawn, and that small, odd and huge curves are drawn too."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reprolm.report import figures
from reprolm.report.drawing import VARIABLES, Drawing
from reprolm.report.inputs import Columns, read_columns
from reprolm.store import publish_file
from tests.report.conftest import curves, positions

finite = st.floats(-1e6, 1e6, allow_nan=False)


def columns(tmp_path: Path, content: str) -> Columns:
    publish_file(tmp_path / "curve.csv", content)
    return read_columns(tmp_path / "curve.csv")


def words(drawing: Drawing | None) -> list[str]:
    """The texts of the wide drawing, which must be well-formed."""
    assert drawing is not None
    ET.fromstring(drawing.narrow)
    return [text.text or "" for text in ET.fromstring(drawing.wide).iter("text")]


@given(arrays(np.float64, st.integers(1, 60), elements=finite), st.integers(0, 10))
def test_the_running_mean_is_pandas_centred_mean_away_from_the_ends(values: np.ndarray, half: int) -> None:
    ours = figures.running_mean(values, 2 * half + 1)
    theirs = pd.Series(values).rolling(2 * half + 1, center=True).mean().to_numpy()
    inside = slice(half, len(values) - half) if len(values) > 2 * half else slice(0, 0)
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=1e-6)
    assert ours[0] == pytest.approx(values[0], abs=1e-6)
    assert ours[-1] == pytest.approx(values[-half - 1 :].mean(), abs=1e-6)


@given(st.integers(1, 5000), st.integers(0, 2**32 - 1))
def test_thinning_keeps_extremes_and_order(count: int, seed: int) -> None:
    x, y = np.arange(count, dtype=np.float64), np.random.default_rng(seed).normal(size=count)
    kept, values = figures.thinned(x, y)
    assert len(kept) <= figures.MOST_POINTS
    assert np.all(np.diff(kept) > 0)
    assert (values.min(), values.max()) == (y.min(), y.max())


def test_axes_have_units_and_lines_have_names_and_last_values(tmp_path: Path) -> None:
    found = words(figures.loss(columns(tmp_path, curves())))
    assert {"loss, nats per token", "tokens trained on", "train", "validation", "3.065", "4 M"} <= set(found)


def test_the_optimizer_and_positions_are_labelled(tmp_path: Path) -> None:
    drawn = figures.optimisation(columns(tmp_path, curves()))
    entropy = "attention entropy (1: looks at all alike)"
    assert {"learning rate", "gradient norm", entropy, "0.601", "tokens trained on"} <= set(words(drawn))
    without = "step,tokens,learning_rate,gradient_norm\n1,8192,0.1,2\n2,16384,0.1,2\n"
    fewer = figures.optimisation(columns(tmp_path, without))
    assert drawn is not None
    assert fewer is not None
    assert [re.findall(r'viewBox="0 0 760 (\d+)"', each.wide) for each in (drawn, fewer)] == [
        ["540"],
        ["360"],
    ]
    found = words(figures.by_position(columns(tmp_path, positions())))
    assert {"tokens given, first of the bin", "1", "256"} <= set(found)


def test_colours_come_from_the_style_sheet_only(tmp_path: Path) -> None:
    drawing = figures.loss(columns(tmp_path, curves()))
    assert drawing is not None
    assert set(VARIABLES.values()) <= set(re.findall(r"var\(--\w+\)", drawing.wide))
    assert not re.search(r"#[0-9a-f]{6}\b", drawing.wide)


def test_a_figure_is_none_where_nothing_was_measured(tmp_path: Path) -> None:
    empty = columns(tmp_path, "step,tokens,train_loss,validation_loss\n0,0,,\n")
    for figure in (figures.loss, figures.optimisation, figures.by_position):
        assert figure({}) is None
        assert figure(empty) is None


@pytest.mark.parametrize(
    "rows",
    [
        "0,0,,7.6",
        "1,8192,7.6,",
        "1,8192,3,3\n2,16384,3,3",
        "1,8192,1e30,1e30\n2,16384,1e-30,5",
        "1,1,3.1,2.0\n2,100,9.5,9.0\n3,200,9.9,9.4",
    ],
)
def test_single_equal_and_diverging_losses_are_drawn(tmp_path: Path, rows: str) -> None:
    found = words(figures.loss(columns(tmp_path, f"step,tokens,train_loss,validation_loss\n{rows}\n")))
    assert found
    assert not [text for text in found if text.lower() in {"nan", "inf"}]


def test_labels_of_lines_that_end_together_do_not_overlap(tmp_path: Path) -> None:
    rows = "step,tokens,train_loss,validation_loss\n1,1,5,5\n2,100,3.001,3\n3,200,3.001,3\n"
    drawing = figures.loss(columns(tmp_path, rows))
    assert drawing is not None
    found = re.findall(r"translate\([\d.]+ ([\d.]+)\)\">(?:train|validation)<", drawing.wide)
    heights = [float(height) for height in found]
    assert len(heights) == 2
    assert abs(heights[0] - heights[1]) >= 30


@pytest.mark.parametrize("rows", ["0,5.0,0.1\n1,4.0,0.1\n7,3.0,", "1,5.0,0.0", "1.5,5,0.1\n300.5,3,0.1"])
def test_positions_from_zero_single_and_fractional_are_drawn(tmp_path: Path, rows: str) -> None:
    found = columns(tmp_path, f"position,loss,standard_error\n{rows}\n")
    assert "loss, nats per token" in words(figures.by_position(found))


def test_positions_without_errors_are_drawn(tmp_path: Path) -> None:
    assert words(figures.by_position(columns(tmp_path, "position,loss\n1,5\n2,4\n")))


def test_a_long_curve_stays_small(tmp_path: Path) -> None:
    drawing = figures.loss(columns(tmp_path, curves(20_000)))
    assert drawing is not None
    assert len(drawing.wide) + len(drawing.narrow) < 120_000
