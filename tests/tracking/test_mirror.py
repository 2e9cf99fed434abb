import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from reprolm.store import publish_json
from reprolm.tracking.destination import Destination, connect, uri
from reprolm.tracking.mirror import SHIPPED, Mirror, Shipped, pending
from reprolm.tracking.shipper import sync
from tests.settings import ROOT
from tests.tracking.executions import FIRST, PARAMS, Written
from tests.tracking.runs import files, history, picture, runs

STEPS = 40


def ship(written: Written, to: Destination) -> Mirror:
    """Sends an execution as the background process does: a look at its processes, then at its journal."""
    mirror = Mirror(written.directory, to)
    while not mirror.ship() and not written.execution.alive:
        continue
    return mirror


def test_a_run_holds_what_the_journal_holds(repository: Path, to: Destination) -> None:
    written = Written(repository, name="vexed-moth")
    written.train(STEPS)
    mirror = ship(written, to)
    (run,) = runs(to)
    losses = history(to, run, "train/loss")
    assert [(step, value) for step, value, _ in losses] == [(step, 4 / step) for step in range(1, STEPS + 1)]
    assert [time for _, _, time in losses] == [FIRST + 2000 + 1000 * step for step in range(1, STEPS + 1)]
    assert [step for step, _, _ in history(to, run, "validation/loss")] == [10, 20, 30, 40]
    assert run.data.params == {key: str(value) for key, value in PARAMS.items()}
    assert run.data.metrics["train/best_validation_loss"] == 0.1125
    assert run.data.tags["resumed_from_step"] == "0"
    assert run.data.tags["stage.train"] == "ran"
    assert run.data.tags["git.commit"] == run.data.tags["mlflow.source.git.commit"] == "c0ffee"
    assert "0.1125" in run.data.tags["mlflow.note.content"]
    assert files(to, run) == ["plots/train.csv", "samples.json"]
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, json.loads(data.dataset.source)["sha256"]) == ("corpus/train", "ab" * 32)
    assert {tag.key: tag.value for tag in data.tags}["mlflow.data.context"] == "training"
    assert (run.info.run_name, run.info.status) == ("vexed-moth", "FINISHED")
    assert (run.info.start_time, run.info.end_time) == (FIRST + 1000, written.at)
    assert mirror.shipped.over


def test_samples_are_a_table_that_mlflow_reads(
    repository: Path, to: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri(repository))
    written = Written(repository)
    written.train(1)
    ship(written, to)
    table = to.client.load_table(to.experiment, "samples.json")
    assert table.to_dict("list") == {"a": [1]}


def test_sending_again_doubles_nothing(repository: Path, to: Destination) -> None:
    written = Written(repository)
    written.train(STEPS)
    ship(written, to)
    before = picture(repository)
    (written.directory / SHIPPED).unlink()
    ship(written, to)
    assert picture(repository) == before


def test_points_that_are_written_while_others_are_sent_wait_and_go_together(
    repository: Path, to: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Written(repository, alive=True)
    written.start("train")
    mirror, sent = Mirror(written.directory, to), list[int]()
    send = type(to.client).log_batch

    def beside_a_training(client: object, run: str, metrics: Sequence[object] = (), **others: object) -> None:
        send(client, run, metrics=metrics, **others)
        if metrics and len(sent) < 30:
            sent.append(len(metrics))
            for step in range(10 * len(sent), 10 * len(sent) + 10):
                written.add("point", stage="train", step=step, values={"train/loss": 1.0})

    monkeypatch.setattr(type(to.client), "log_batch", beside_a_training)
    written.add("point", stage="train", step=1, values={"train/loss": 1.0})
    mirror.ship()
    assert sent == [1]
    mirror.ship()
    assert sent == [1, 10]


@pytest.mark.parametrize("damage", ["{", '{"later": 1}'])
def test_a_note_of_what_was_sent_that_cannot_be_read_costs_a_second_sending(
    repository: Path, to: Destination, damage: str
) -> None:
    written = Written(repository)
    written.train(3)
    ship(written, to)
    before = picture(repository)
    (written.directory / SHIPPED).write_text(damage)
    ship(written, to)
    assert picture(repository) == before


def test_a_run_grows_with_its_journal(repository: Path, to: Destination) -> None:
    written = Written(repository, alive=True)
    mirror = Mirror(written.directory, to)
    mirror.ship()
    (run,) = runs(to)
    assert run.info.status == "RUNNING"
    written.train(2)
    assert pending(written.directory) > 0
    mirror.ship()
    assert pending(written.directory) == 0
    assert len(history(to, runs(to)[0], "train/loss")) == 2
    written.start("report")
    written.end("report")
    assert not mirror.ship()
    assert runs(to)[0].info.status == "FINISHED"


def test_a_stage_from_the_cache_has_numbers_and_curve_and_names_its_run(
    repository: Path, to: Destination
) -> None:
    first, second = Written(repository), Written(repository)
    first.train(3)
    ship(first, to)
    (computed,) = runs(to)
    outputs = {"model": "d" * 64}
    second.add("cached", stage="train", numbers={"best_validation_loss": 2.5}, outputs=outputs)
    rows = "step,tokens,train_loss,validation_loss,learning_rate\n1,8,3.5,,0.1\n2,16,3.25,3.0,0.1\n"
    second.file("train", "plots/train.csv", rows, kind="curve")
    second.start("report")
    second.end("report")
    ship(second, to)
    run = next(run for run in runs(to) if run.info.run_id != computed.info.run_id)
    assert run.data.tags["stage.train"] == "cached"
    assert run.data.tags["stage.train.computed_by"] == computed.info.run_id
    assert run.data.metrics["train/best_validation_loss"] == 2.5
    assert [point[:2] for point in history(to, run, "train/loss")] == [(1, 3.5), (2, 3.25)]
    assert [point[:2] for point in history(to, run, "validation/loss")] == [(2, 3.0)]


def test_a_stage_that_failed_fails_its_run_with_its_line(repository: Path, to: Destination) -> None:
    written = Written(repository, alive=True)
    written.start("train")
    written.end("train", "failed", 72, "step 3: the loss or its gradient is not finite")
    ship(written, to)
    (run,) = runs(to)
    assert (run.info.status, run.info.end_time) == ("FAILED", written.at)
    assert run.data.tags["error"] == "step 3: the loss or its gradient is not finite"
    assert (run.data.tags["exit"], run.data.tags["stage.train"]) == ("72", "failed")


def test_a_stage_that_was_killed_leaves_no_run_running(repository: Path, to: Destination) -> None:
    written = Written(repository)
    written.start("train")
    mirror = Mirror(written.directory, to)
    mirror.ship()
    assert runs(to)[0].info.status == "RUNNING"
    mirror.ship()
    (run,) = runs(to)
    assert (run.info.status, run.data.tags["stage.train"]) == ("KILLED", "killed")
    assert mirror.shipped.over


def test_a_run_that_its_owner_deleted_is_left_alone(repository: Path, to: Destination) -> None:
    written = Written(repository, alive=True)
    ship(written, to)
    to.client.delete_run(Shipped.of(written.directory).run)
    written.train(1)
    with pytest.raises(Exception, match="does not take the record"):
        sync(repository)
    assert Shipped.of(written.directory).over
    assert sync(repository) == 0


def test_a_run_whose_store_was_replaced_is_made_anew(
    repository: Path, to: Destination, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Written(repository, alive=True)
    ship(written, to)
    (repository / "other.db").write_bytes(tables.read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{repository}/other.db")
    written.train(STEPS)
    with pytest.raises(Exception, match="not found"):
        sync(repository)
    sync(repository)
    other = connect(repository)
    assert len(history(other, runs(other)[0], "train/loss")) == STEPS


POINTS = 32  # and no more: the last one ends by itself
KILLS = """
import os, sys
from pathlib import Path
import mlflow.store.tracking.sqlalchemy_store
from reprolm.tracking.shipper import sync
for number, root in enumerate(sys.argv[1:], start=1):
    child = os.fork()
    if child == 0:
        os.environ["REPROLM_FAULT"] = f"any:{number}"
        sync(Path(root))
        os._exit(0)
    print("code", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_killed_at_any_point_it_sends_the_same_run_afterwards(repository: Path, tables: Path) -> None:
    roots = [repository / str(number) for number in range(POINTS + 1)]
    written = [Written(root) for root in roots]
    for root, each in zip(roots, written, strict=True):
        (root / "mlflow.db").write_bytes(tables.read_bytes())
        each.execution = written[0].execution
        each.train(3)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", KILLS, *map(str, roots)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    codes = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("code")]
    assert (set(codes[:-1]), codes[-1]) == ({-signal.SIGKILL}, 0), str(codes)
    whole: list[object] = []
    for root in roots:
        sync(root)
        (run,) = picture(root)
        for key in ("reprolm.execution", "dvc.process"):
            run["tags"].pop(key)
        whole.append(run)
    assert all(run == whole[0] for run in whole)


def test_what_was_sent_is_noted_only_beside_a_journal(tmp_path: Path) -> None:
    Shipped(offset=3).save(tmp_path / "gone")
    assert not (tmp_path / "gone").exists()
    publish_json(tmp_path / SHIPPED, {"offset": 3})
    assert Shipped.of(tmp_path).offset == 3
