"""A journal that has grown past its bound: coarser curves, the same results, and readers that know."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reprolm.errors import Exit
from reprolm.journal import read
from reprolm.sweep.watch import Progress
from reprolm.tracking import coarse
from reprolm.tracking.coarse import SHARES, Coarse
from reprolm.tracking.record import JOURNAL, Record
from reprolm.tracking.shipper import sync
from reprolm.train.loop import Trainer
from tests.tracking.executions import FIRST
from tests.tracking.runs import picture
from tests.train.runs import CrashError, crash, published, run

BOUND = 20_000
RARE = 50


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(coarse, "BOUND_BYTES", BOUND)
    return tmp_path


def trained(record: Record, steps: int, exit: Exit = Exit.DONE) -> list[dict[str, Any]]:
    """What stands in a journal after a training that validates now and then, and at its end if it has one."""
    for step in range(1, steps + 1):
        values = {"train/loss": 4 + step / 1000, "train/learning_rate": 0.5}
        last = step == steps and exit is Exit.DONE
        rare = {"validation/loss": 5 + step / 1000} if step % RARE == 0 or last else {}
        record.add_point(step, values | rare, at=FIRST + step)
    record.end(exit)
    assert record.directory is not None
    return read(record.directory / JOURNAL)[0]


def steps_of(records: list[dict[str, Any]], name: str) -> list[int]:
    """Where a series has points."""
    return [each["step"] for each in records if each["kind"] == "point" and name in each["values"]]


def test_up_to_its_bound_a_journal_holds_every_point(root: Path) -> None:
    records = trained(Record(root, "train", {}), 100)
    assert steps_of(records, "train/loss") == list(range(1, 101))
    assert not [each for each in records if each["kind"] == "coarser"]


def test_past_its_bound_a_journal_has_a_warning_and_a_coarser_series_with_its_end(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = trained(record := Record(root, "train", {}), 3020, Exit.TERMINATED)
    assert record.directory is not None
    assert BOUND < (record.directory / JOURNAL).stat().st_size < 2 * BOUND
    marks = [(each["step"], each["every"]) for each in records if each["kind"] == "coarser"]
    assert [every for _, every in marks] == [2 ** (n + 1) for n in range(len(marks))]
    assert len(marks) > 3
    steps = steps_of(records, "train/loss")
    assert steps[: marks[0][0]] == list(range(1, marks[0][0] + 1))
    for (begin, every), (end, _) in zip(marks, [*marks[1:], (3020, 0)], strict=True):
        within = [step for step in steps if begin < step < end]
        assert {b - a for a, b in itertools.pairwise(within)} <= {every}
    assert (steps[-1], steps_of(records, "validation/loss")[-1]) == (3020, 3000)
    said = capsys.readouterr().err
    assert said.count("tracking: ") == 1
    assert f"after step {marks[0][0]:,} curves are coarser; results are whole\n" in said


def test_a_training_that_a_signal_stops_past_the_bound_keeps_the_last_point_of_each_series(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coarse, "BOUND_BYTES", 2**30)
    record, steps = Record(root, "train", {}), 3020
    # of the last points due are steps 3,009 of one series and 2,950 of the other
    record._coarse.every = 64
    records = trained(record, steps, Exit.TERMINATED)
    ends = {"train/loss": steps, "train/learning_rate": steps, "validation/loss": 3000}
    for name, end in ends.items():
        assert (found := steps_of(records, name)) == sorted(set(found))
        assert found[-1] == end
    held = records[-1 - len(set(ends.values())) : -1]
    assert held == [
        {"at": FIRST + 3000, "kind": "point", "stage": "train", "step": 3000,
         "values": {"validation/loss": 8.0}},
        {"at": FIRST + steps, "kind": "point", "stage": "train", "step": steps,
         "values": {"train/loss": 7.02, "train/learning_rate": 0.5}},
    ]  # fmt: skip
    assert records[-1]["status"] == "killed"


def test_a_series_with_few_points_keeps_them_while_others_become_coarser(root: Path) -> None:
    records = trained(Record(root, "train", {}), 400)
    assert max(each["every"] for each in records if each["kind"] == "coarser") <= RARE
    assert steps_of(records, "validation/loss") == list(range(RARE, 401, RARE))
    assert len(steps_of(records, "train/loss")) < 300


def test_the_same_points_leave_the_same_series(root: Path) -> None:
    first, second = (trained(Record(root / name, "train", {}), 2000) for name in ("a", "b"))
    assert steps_of(first, "train/loss") == steps_of(second, "train/loss")


def test_a_stage_that_goes_on_with_a_long_journal_is_as_coarse_as_the_one_before(root: Path) -> None:
    first = trained(Record(root, "train", {}), 2000)
    again = trained(Record(root, "train", {}), 100)[len(first) :]
    every = max(each["every"] for each in first if each["kind"] == "coarser")
    assert every > 2
    marks = [(each["step"], each["every"]) for each in again if each["kind"] == "coarser"]
    # its first point tells how long the journal is; what the stages add around it may pass the next limit
    assert marks[0] in ((1, every), (1, 2 * every))
    end = marks[1][0] if len(marks) > 1 else 100
    within = [step for step in steps_of(again, "train/loss") if step < end]
    assert within == list(range(1, end, marks[0][1]))


def test_a_journal_never_becomes_coarser_than_its_length_allows() -> None:
    """A run of N points of which the bound holds M has one in 16 N/M at least, so that 2,000 are left."""
    finest, size, line = 1000, 0, coarse.BOUND_BYTES // 1000
    fineness = Coarse()
    for number in range(1, 100 * finest):
        size += line * len(fineness.due({"loss": 1.0}))
        fineness.grown(size)
        assert fineness.every <= max(1, SHARES * number / finest)
    assert size < 2 * coarse.BOUND_BYTES


def test_readers_of_a_coarser_journal_know_it(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    monkeypatch.setattr(coarse, "BOUND_BYTES", BOUND)
    records = trained(Record(repository, "train", {}), 1020, Exit.TERMINATED)
    sync(repository)
    (shown,) = picture(repository)
    for name, end in {"train/loss": 1020, "validation/loss": 1000}.items():
        points = shown["series"][name]
        assert [step for step, _, _ in points] == steps_of(records, name)
        base = {"train/loss": 4, "validation/loss": 5}[name]
        assert points[-1] == (end, base + end / 1000, FIRST + end)
    last = [each for each in records if each["kind"] == "coarser"][-1]
    assert shown["tags"]["curves"] == f"one point in {last['every']:,} after step {last['step']:,}"
    read_by_a_sweep = Progress()
    for each in records:
        read_by_a_sweep.take(each)
    assert (read_by_a_sweep.step, read_by_a_sweep.loss) == (1020, 6.0)


class Recorder:
    """Writes a training's points into a journal, and may act after a step."""

    def __init__(self, root: Path, after: int = 0) -> None:
        self.record, self._after = Record(root, "train", {}), after

    def point(self, step: int, values: Mapping[str, float], at: float) -> None:
        self.record.add_point(step, values, round(at * 1000))
        if step == self._after:
            crash()


def test_a_training_past_the_bound_and_one_that_resumes_there_end_byte_identical(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coarse, "BOUND_BYTES", 2**30)
    bounded = run(root, steps=48, checkpoint_every_steps=10)
    whole = Trainer(bounded, root / "whole", Recorder(root / "whole"))
    whole.fit()
    monkeypatch.setattr(coarse, "BOUND_BYTES", 4000)
    with pytest.raises(CrashError):
        Trainer(bounded, root / "killed", Recorder(root / "killed", after=36)).fit()
    again = Recorder(root / "again")
    resumed = Trainer(bounded, root / "killed", again)
    assert resumed.state.step == 30
    resumed.fit()
    again.record.end(0)
    assert published(resumed, root / "resumed") == published(whole, root / "published")
    assert again.record.directory is not None
    records = read(again.record.directory / JOURNAL)[0]
    assert [each for each in records if each["kind"] == "coarser"]
    steps = steps_of(records, "train/loss")
    assert (steps[0], steps[-1]) == (1, 48)
    assert len(steps) < 48
