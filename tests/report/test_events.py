"""Events on the page, and the figure of a range test."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reprolm.diagnose.events import Event, Kind
from reprolm.errors import ReprolmError
from reprolm.report import figures, rates
from reprolm.report.inputs import Columns
from reprolm.report.page import render
from reprolm.store import publish_directory
from tests.report.conftest import curves
from tests.report.test_figures import columns, words

SPIKE = {
    "step": 300, "type": "SPIKE", "magnitude": 1.5, "loss": 5.25, "average": 3.1, "gradient_norm": 9.0,
    "learning_rate": 0.002, "last_step": 309, "recovered_step": 380, "batches": [299, 308], "documents": [3],
}  # fmt: skip


def recorded(root: Path, events: str, steps: str = "step,loss,gradient_norm,learning_rate\n") -> None:
    with publish_directory(root / "reports/train") as out:
        (out / "events.jsonl").write_text(events)
        (out / "steps.csv").write_text(steps)


def range_test(steps: int = 500, best: float = 0.01) -> Columns:
    """A loss that falls up to a rate and rises behind it."""
    learning_rate = 1e-5 * 1e5 ** (np.arange(steps) / (steps - 1))
    distance = np.log10(learning_rate / best)
    loss = 3.0 + np.where(distance < 0, -distance, 4 * distance)
    noise = 0.02 * np.random.default_rng(0).standard_normal(steps)
    return {"step": np.arange(1.0, steps + 1), "loss": loss + noise, "learning_rate": learning_rate}


def test_events_are_a_table_and_marks_in_the_curve(params: dict[str, Any], root: Path) -> None:
    assert "<h3>Events</h3>" not in render(params, root)
    recorded(root, json.dumps(SPIKE) + "\n")
    page = render(params, root)
    assert re.search(
        r"<th scope=\"row\">SPIKE</th><td>300 to 309</td><td>the loss jumped.*step 380</td>", page
    )
    assert page.count(">SPIKE<") == 3  # the table, and the figure in both sizes


def test_an_event_without_numbers_and_many_of_them_are_shown(params: dict[str, Any], root: Path) -> None:
    last = SPIKE | {"type": "NONFINITE", "loss": None, "magnitude": None}
    recorded(
        root, "".join(json.dumps(SPIKE | {"step": 100 + 9 * i}) + "\n" for i in range(30)) + json.dumps(last)
    )
    page = render(params, root)
    assert "11 more in <code>reports/train/events.jsonl</code>" in page


def test_a_file_that_holds_no_events_is_refused_by_name(params: dict[str, Any], root: Path) -> None:
    recorded(root, '{"type": "SPIKE"}\n')
    with pytest.raises(ReprolmError, match=r"events\.jsonl: is not a list of events"):
        render(params, root)


def test_a_range_test_suggests_a_third_of_the_rate_of_the_lowest_loss() -> None:
    read = rates.reading(range_test(), [])
    assert read is not None
    assert read.lowest_loss == pytest.approx(0.01, rel=0.4)
    assert read.suggested == read.lowest_loss / 3
    assert read.broken is None


def test_a_range_test_names_the_sweep_around_the_edge() -> None:
    read = rates.reading(range_test(), [])
    assert read is not None
    *_, listed = rates.edge(range_test(), []).split("train.learning_rate=")
    asked = [float(rate) for rate in listed.split(",")]
    assert asked == pytest.approx(
        [read.suggested / 3, read.suggested, read.lowest_loss, 3 * read.lowest_loss], rel=0.05
    )
    assert rates.edge({}, []) == ""


def event(kind: Kind, step: int, rate: float) -> Event:
    return Event(step, kind, 1.0, 7.0, 5.0, 1.0, rate, step)


def test_the_figure_of_a_range_test_says_where_training_broke() -> None:
    broke = event("DIVERGED", 480, 0.62)
    said = words(rates.figure(range_test(), [broke]))
    assert "broke 0.62" in said
    assert any(re.fullmatch(r"suggested 0\.00\d+", word) for word in said)
    assert "learning rate" in said
    assert rates.figure({}, []) is None


def test_only_a_range_test_has_this_figure(params: dict[str, Any], root: Path) -> None:
    rows = zip(*(range_test()[name] for name in ("step", "loss", "learning_rate")), strict=True)
    steps = "step,loss,learning_rate\n" + "".join(f"{step},{loss},{rate}\n" for step, loss, rate in rows)
    recorded(root, "", steps)
    assert "Training loss against learning rate" not in render(params, root)
    assert "Training loss against learning rate" in render(params | {"train.schedule": "range"}, root)


def test_the_smoothed_loss_is_pandas_exponential_mean() -> None:
    import pandas as pd

    losses = range_test()["loss"]
    theirs = pd.Series(losses).ewm(halflife=0.02 * len(losses), adjust=True).mean().to_numpy()
    np.testing.assert_allclose(rates.smoothed(losses), theirs)


def test_a_mark_stands_at_the_tokens_of_its_step(tmp_path: Path) -> None:
    found = figures.loss(columns(tmp_path, curves()), [event("PLATEAU", 300, 1e-3)])
    assert "PLATEAU" in words(found)
