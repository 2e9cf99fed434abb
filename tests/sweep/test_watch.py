"""How a sweep stands, from the queue and the journals; neither DVC nor a stage runs here."""

import re
from pathlib import Path

import pytest

from reprolm.sweep import watch as module
from reprolm.sweep.queue import Entry, State
from reprolm.sweep.screen import Screen
from reprolm.sweep.watch import Row, Watch, doing
from tests.tracking.executions import Written


class Queue:
    """A queue whose states are set by hand."""

    def __init__(self, root: Path) -> None:
        self.root, self.now, self.killed = root, dict[str, Entry](), list[str]()
        self.gone, self.printed = set[str](), ""

    def put(self, rev: str, name: str, state: State) -> Entry:
        self.now[rev] = Entry(rev, name, state)
        return self.now[rev]

    def states(self) -> dict[str, Entry]:
        return self.now

    def lost(self, rev: str) -> bool:
        return rev in self.gone

    def kill(self, revs: list[str]) -> None:
        self.killed += revs

    def log(self, rev: str) -> str:
        return self.printed


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path)


def watching(queue: Queue, *entries: Entry) -> Watch:
    return Watch(queue, list(entries))  # type: ignore[arg-type]


def test_a_running_experiment_tells_stage_step_and_loss(queue: Queue) -> None:
    watch = watching(queue, queue.put("a", "one", State.RUNNING), queue.put("b", "two", State.QUEUED))
    written = Written(queue.root, alive=True, name="one")
    written.start("train")
    written.add("point", stage="train", step=20, values={"validation/loss": 3.25})
    watch.look()
    assert doing(watch.rows[0], 40) == "train 20 of 40, validation loss 3.250"
    assert doing(watch.rows[1], 40) == ""
    written.add("numbers", stage="evaluate", numbers={"bits_per_byte": 1.25})
    queue.put("a", "one", State.FINISHED)
    watch.look()
    assert doing(watch.rows[0], 40) == "1.2500 bits per byte"


def test_the_journal_of_an_earlier_failure_is_not_taken_for_the_experiment(queue: Queue) -> None:
    Written(queue.root, name="one").train()
    watch = watching(queue, queue.put("a", "one", State.RUNNING))
    watch.rows[0].since = 2e9
    watch.look()
    assert doing(watch.rows[0], None) == ""


@pytest.mark.parametrize(
    ("printed", "error", "told"),
    [
        (
            "noise\nreprolm: error: train.steps: is bad\nERROR: failed to reproduce\n",
            "x",
            "train.steps: is bad",
        ),
        ("noise\nERROR: failed to pull\n", "", "ERROR: failed to pull"),
        ("", "model: diverged", "model: diverged"),
        ("", "", "its process ended without a word"),
    ],
)
def test_a_failure_has_one_line(queue: Queue, printed: str, error: str, told: str) -> None:
    written = Written(queue.root, name="one")
    if error:
        written.end("train", "failed", 72, error)
    queue.printed = printed
    watch = watching(queue, queue.put("a", "one", State.RUNNING))
    queue.put("a", "one", State.FAILED)
    watch.look()
    assert doing(watch.rows[0], None) == told


def test_an_experiment_whose_process_and_worker_are_gone_fails(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = watching(queue, queue.put("a", "one", State.RUNNING))
    queue.gone.add("a")
    watch.look()
    assert watch.rows[0].state is State.RUNNING
    monkeypatch.setattr(module, "MISSED_SECONDS", -1.0)
    watch.look()
    assert watch.rows[0].state is State.FAILED
    assert queue.killed == ["a"]


def test_an_experiment_that_somebody_took_out_of_the_queue_is_not_waited_for(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = watching(queue, queue.put("a", "one", State.QUEUED))
    queue.now.clear()
    monkeypatch.setattr(module, "MISSED_SECONDS", -1.0)
    watch.look()
    assert watch.rows[0].over


def test_waiting_without_a_worker_is_noticed(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = watching(queue, queue.put("a", "one", State.QUEUED))
    assert not watch.stalled()
    monkeypatch.setattr(module, "MISSED_SECONDS", -1.0)
    assert watch.stalled()
    watch.rows[0].state = State.RUNNING
    assert not watch.stalled()


def test_a_low_terminal_shows_what_runs_first_and_the_sum_of_all() -> None:
    rows = [Row(f"n={i}", str(i), State.QUEUED) for i in range(20)]
    rows[19].state, rows[3].state = State.RUNNING, State.FAILED
    lines = Screen(lambda row: "").table(rows, 4)
    assert len(lines) == 5
    assert lines[0].split() == ["n=19", "running"]
    assert lines[-1].startswith("1 failed, 1 running, 18 queued")


def test_elsewhere_than_on_a_terminal_each_change_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    screen, row = Screen(lambda row: "so"), Row("n=1", "a", State.QUEUED)
    for state in (State.QUEUED, State.RUNNING, State.RUNNING, State.FINISHED):
        row.state = state
        screen.show([row])
    assert capsys.readouterr().out.splitlines() == ["n=1 running so", "n=1 finished so"]


def test_a_terminal_shows_the_newest_table_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("reprolm.sweep.screen.time.monotonic", lambda: 7.0)
    rows = [Row("n=1", "a"), Row("n=2", "b")]
    screen, seen = Screen(lambda row: "so " * 30), list[str]()
    for state in (State.QUEUED, State.RUNNING, State.FINISHED):
        rows[0].state = state
        screen.show(rows)
        rows = rows[:1] if state is State.RUNNING else rows
    # what a terminal makes of it: so many lines up, and all below is gone
    for line in capsys.readouterr().out.splitlines():
        up = re.match(r"(?:\x1b\[(\d+)F)?\x1b\[J", line)
        if up:
            del seen[len(seen) - int(up[1] or 0) :]
        seen.append(line[up.end() :] if up else line)
    assert seen == [line[:39] for line in screen.table(rows, 99)]
    assert len(seen) == 2
    assert all(len(line) < 40 for line in seen)
