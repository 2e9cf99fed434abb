import itertools
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reprolm.compare.quality import METRICS
from reprolm.journal import read
from reprolm.tracking.record import FILES, JOURNAL
from reprolm.tracking.shown import CURVES, HEADLINES, MOST_POINTS, MOST_SCALARS, SCALARS, SERIES
from reprolm.tracking.translation import Parcel, Translation
from tests.architecture.closure import PACKAGE
from tests.tracking.executions import PARAMS, Written

NOBODY: tuple[set[str], bool] = (set(), False)
OPENED = {
    "at": 1, "kind": "opened", "tags": {},
    "execution": {"host": "h", "pid": 1, "started": 1.0, "kind": "repro", "command": "dvc repro"},
}  # fmt: skip


def opened(**params: Any) -> dict[str, Any]:
    return OPENED | {"params": params}


def curve(steps: list[int]) -> list[dict[str, Any]]:
    return [
        {"at": s, "kind": "point", "stage": "train", "step": s, "values": {"train/loss": 1.0}} for s in steps
    ]


def horizon_of(steps: int) -> dict[str, Any]:
    return {"at": 1, "kind": "horizon", "stage": "train", "steps": steps}


def told_series() -> set[str]:
    """The names of all series that training tells of, as they stand in its source."""
    sources = [path.read_text() for path in (PACKAGE / "train").rglob("*.py")]
    return {name for source in sources for name in re.findall(r'"((?:train|validation)/\w+)"', source)}


def test_numbers_and_series_together_fit_the_budget() -> None:
    assert told_series() == SERIES
    assert len(SCALARS | SERIES) <= MOST_SCALARS


def test_numbers_that_are_compared_or_described_are_shown() -> None:
    assert {metric.key for metric in METRICS} <= SCALARS
    assert set(HEADLINES) <= SCALARS


@given(st.integers(1, 20_000), st.integers(1, 50))
def test_a_live_curve_is_thinned_evenly_and_keeps_its_end(horizon: int, every: int) -> None:
    steps = [*range(every, horizon, every), horizon]
    points = Translation(Path()).take([opened(), horizon_of(horizon), *curve(steps)]).points
    kept = [point[3] for point in points]
    assert len(kept) <= MOST_POINTS
    assert kept[-1] == horizon
    assert kept == steps or len(kept) > MOST_POINTS / 4
    widest = max((b - a for a, b in itertools.pairwise(kept)), default=0)
    assert widest <= every + 2 * math.ceil(horizon / (MOST_POINTS - 1))


@given(st.data())
def test_however_the_journal_is_cut_the_same_is_sent(data: st.DataObject) -> None:
    records = [opened(), horizon_of(30_000), *curve(list(range(10, 30_001, 10)))]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=4)))
    whole, parts, joined = Translation(Path()).take(records), Translation(Path()), Parcel()
    for start, end in zip([0, *cuts], [*cuts, len(records)], strict=True):
        part = parts.take(records[start:end])
        joined.points += part.points
        joined.params |= part.params
    assert joined == whole


def test_the_columns_of_the_published_curve_are_known() -> None:
    from reprolm.train.publish import COLUMNS, SOMETIMES

    assert CURVES == COLUMNS | SOMETIMES


def test_only_numbers_of_the_list_are_shown_and_nested_ones_by_their_path(tmp_path: Path) -> None:
    numbers = {"perplexity": 9.5, "split": "test", "window": 128, "sliding": {"bits_per_byte": 1.5}}
    record = {"at": 5, "kind": "numbers", "stage": "evaluate", "numbers": numbers}
    points = Translation(tmp_path).take([record]).points
    assert points == [("evaluate/perplexity", 9.5, 5, 0), ("evaluate/sliding/bits_per_byte", 1.5, 5, 0)]


def test_a_long_curve_of_a_skipped_stage_is_thinned_and_keeps_its_ends(tmp_path: Path) -> None:
    written = Written(tmp_path)
    rows = [f"{step},0,{1 / step},{'' if step % 2 else 2.0},0.1,1" for step in range(1, 9001)]
    head = "step,tokens,train_loss,validation_loss,learning_rate,gradient_norm\n"
    written.file("train", "plots/train.csv", head + "\n".join(rows) + "\n", kind="curve")
    parcel = Translation(written.directory).take(read(written.directory / JOURNAL)[0])
    counts = Counter(point[0] for point in parcel.points)
    assert set(counts) == {"train/loss", "validation/loss", "train/learning_rate", "train/gradient_norm"}
    assert max(counts.values()) <= MOST_POINTS
    losses = [point for point in parcel.points if point[0] == "train/loss"]
    assert (losses[0][3], losses[-1][3]) == (1, 9000)
    assert all(point[1] == 1 / point[3] for point in losses)
    assert (written.directory / FILES / parcel.files[0]).is_file()


def test_names_and_texts_are_made_fit_for_mlflow() -> None:
    command = "dvc exp run -S data.url.address=https://me:secret@example.com/a"
    record = {"at": 1, "kind": "tag", "stage": "train", "key": "käy\n", "value": command}
    parcel = Translation(Path()).take([opened(**{"a": "x" * 9000, "b": None, "c": [1]}), record])
    assert (len(parcel.params["a"]), parcel.params["b"], parcel.params["c"]) == (6000, "null", "[1]")
    assert [key for key in parcel.tags if "\n" in key] == []
    assert "secret" not in str(parcel.tags)


def status(written: Written) -> str:
    known = Translation(written.directory)
    known.take(read(written.directory / JOURNAL)[0])
    return known.status(known.departed())


def test_a_run_runs_while_dvc_lives_and_ends_with_the_report(tmp_path: Path) -> None:
    written = Written(tmp_path, alive=True)
    assert status(written) == "RUNNING"
    written.start("train")
    assert status(written) == "RUNNING"
    written.end("train")
    assert status(written) == "RUNNING"
    written.start("report")
    written.end("report")
    assert status(written) == "FINISHED"


def test_a_run_without_report_ends_with_its_dvc(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.train()
    assert status(written) == "FINISHED"


def test_a_stage_that_failed_or_was_stopped_or_killed_says_so(tmp_path: Path) -> None:
    failed, stopped, killed = Written(tmp_path), Written(tmp_path), Written(tmp_path, alive=True)
    failed.start("train")
    failed.end("train", "failed", 72, "step 3: the loss is not finite")
    stopped.start("train")
    stopped.end("train", "killed", 143)
    assert (status(failed), status(stopped)) == ("FAILED", "KILLED")
    killed.start("train", Written(tmp_path).process)
    assert status(killed) == "KILLED"


def test_of_another_machine_nobody_says_that_it_was_killed(tmp_path: Path) -> None:
    written = Written(tmp_path, on="elsewhere")
    written.start("train")
    assert status(written) == "RUNNING"


def test_a_record_of_a_later_version_is_passed_over() -> None:
    assert Translation(Path()).take([{"at": 1, "kind": "hologram"}]) == Parcel()


def test_the_parameters_of_a_run_are_those_of_its_first_record(tmp_path: Path) -> None:
    written = Written(tmp_path)
    parcel = Translation(written.directory).take(read(written.directory / JOURNAL)[0])
    assert set(parcel.params) == set(PARAMS)
    assert parcel.params["train.learning_rate"] == "0.003"
    assert parcel.params["model.position"] == "rope"
