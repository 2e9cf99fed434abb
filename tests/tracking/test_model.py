"""The LoggedModel of a run: what it says, that there is one, and that nothing hangs on it."""

import re
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

from reprolm.errors import ReprolmError
from reprolm.tracking.destination import Destination, connect
from reprolm.tracking.mirror import SHIPPED, Shipped
from reprolm.tracking.model import model_of
from reprolm.tracking.shipper import flush, sync
from tests.tracking.executions import Written
from tests.tracking.faulty import Faulty
from tests.tracking.runs import files, history, models, runs

NUMBERS = {"best_validation_loss": 2.5, "best_step": 30, "parameters": {"total": 1234}}
SPLITS = {"train": "training", "validation": "validation", "test": "test"}


def trained(root: Path, **fields: Any) -> Written:
    """An execution with a model and its scores."""
    written = Written(root, name="vexed-moth", **fields)
    for split, context in SPLITS.items():
        data = {"name": f"files/{split}", "digest": split, "source": f"{split}.txt", "context": context}
        written.add("dataset", stage="download", **data)
    written.add("outputs", stage="train_tokenizer", outputs={"tokenizer": "e" * 64})
    written.train(3)
    written.add("numbers", stage="train", numbers=NUMBERS)
    written.add("numbers", stage="evaluate", numbers={"bits_per_byte": 1.5})
    return written


def test_a_run_has_one_model_that_names_its_files_and_keeps_none(repository: Path, to: Destination) -> None:
    trained(repository)
    sync(repository)
    (run,) = runs(to)
    found = model_of(to, run)
    assert found is not None
    assert (found.name, found.source_run_id, str(found.status)) == ("vexed-moth", run.info.run_id, "READY")
    assert found.params == {"model.position": "rope", "parameters": "1234"}
    digests = {"digest.model": "d" * 64, "digest.tokenizer": "e" * 64, "git.commit": "c0ffee"}
    assert digests.items() <= found.tags.items()
    (output,) = run.outputs.model_outputs
    assert (output.model_id, output.step) == (found.model_id, 30)
    assert not list(Path(found.artifact_location.removeprefix("file://")).glob("*"))
    assert files(to, run) == ["plots/train.csv", "samples.json"]


def test_its_scores_name_the_split_that_they_were_measured_on_and_the_run_has_no_more_numbers(
    repository: Path, to: Destination
) -> None:
    trained(repository)
    sync(repository)
    (run,) = runs(to)
    ((_, *rest),) = [models(to, run)[0].values()]
    numbers = {key: (value, data) for key, value, data in rest[-1]}
    assert numbers["evaluate/bits_per_byte"] == (1.5, "files/test")
    assert numbers["train/best_validation_loss"] == (2.5, "files/validation")
    assert numbers["train/best_step"] == (30, None)
    assert "train/loss" not in numbers
    assert set(run.data.metrics) == {*numbers, "train/loss", "train/learning_rate"}
    assert [value for _, value, _ in history(to, run, "evaluate/bits_per_byte")] == [1.5]


def test_a_model_from_the_cache_has_a_place_in_its_run_too(repository: Path, to: Destination) -> None:
    written = Written(repository)
    written.add("cached", stage="train", numbers=NUMBERS, outputs={"model": "d" * 64})
    written.start("report")
    written.end("report")
    sync(repository)
    (model,) = models(to, runs(to)[0])
    assert model["tags"]["digest.model"] == "d" * 64


def test_a_run_without_a_model_has_none(repository: Path, to: Destination) -> None:
    written = Written(repository)
    written.start("encode")
    written.add("outputs", stage="encode", outputs={"tokens": "e" * 64})
    written.end("encode")
    sync(repository)
    assert models(to, runs(to)[0]) == []


@pytest.mark.parametrize(
    ("name", "named"),
    [("rate=0.02/seed:2", "rate=0·02-seed-2"), ("it's 50%", "it-s 50-"), ("名前", "名前")],
)
def test_a_run_of_any_name_has_its_model(repository: Path, to: Destination, name: str, named: str) -> None:
    written = Written(repository, name=name)
    written.train(1)
    sync(repository)
    (run,) = runs(to)
    assert run.info.run_name == name
    found = model_of(to, run)
    assert found is not None
    assert found.name == named


def test_what_follows_a_stage_that_failed_is_told_of_the_model_too(repository: Path, to: Destination) -> None:
    written = Written(repository, name="vexed-moth", alive=True, command="dvc repro -k")
    written.start("sample")
    written.end("sample", status="failed", exit=65, error="no prompt")
    sync(repository)
    assert runs(to)[0].info.status == "FAILED"
    written.train(3)
    sync(repository)
    written.add("numbers", stage="evaluate", numbers={"bits_per_byte": 1.5})
    written.add("tag", stage="evaluate", key="digest.dvc.lock", value="f" * 64)
    sync(repository)
    (run,) = runs(to)
    found = model_of(to, run)
    assert found is not None
    assert "evaluate/bits_per_byte" in {each.key for each in found.metrics}
    assert found.tags["digest.dvc.lock"] == "f" * 64
    assert "1.5" in run.data.tags["mlflow.note.content"]


def test_a_model_that_somebody_else_logged_to_the_run_is_left_alone(
    repository: Path, to: Destination
) -> None:
    written = Written(repository, name="vexed-moth", alive=True)
    written.start("train")
    sync(repository)
    (run,) = runs(to)
    theirs = to.client.create_logged_model(to.experiment, "theirs", run.info.run_id)
    written.train(3)
    written.start("sample")
    written.end("sample", status="failed", exit=65, error="no prompt")
    sync(repository)
    found = model_of(to, run)
    assert found is not None
    assert (found.name, str(found.status)) == ("vexed-moth", "READY")
    assert str(to.client.get_logged_model(theirs.model_id).status) == "PENDING"


def test_two_that_make_the_model_at_once_agree_on_one(
    repository: Path, to: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = MlflowClient.create_logged_model

    def twice(self: MlflowClient, *words: Any) -> Any:
        create(self, *words)
        return create(self, *words)

    monkeypatch.setattr(MlflowClient, "create_logged_model", twice)
    trained(repository)
    sync(repository)
    (model,) = models(to, runs(to)[0])
    assert model["tags"]["digest.model"] == "d" * 64


def test_who_may_write_runs_and_no_models_has_the_run_without(
    repository: Path, to: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(self: MlflowClient, *words: Any) -> Any:
        raise MlflowException("Permission denied", PERMISSION_DENIED)

    monkeypatch.setattr(MlflowClient, "create_logged_model", refuses)
    written = trained(repository)
    sync(repository)
    shipped = Shipped.of(written.directory)
    assert (shipped.status, shipped.error, shipped.over) == ("FINISHED", "", True)


def test_an_end_that_was_told_is_kept_where_the_model_is_not_taken(
    repository: Path, to: Destination, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(self: MlflowClient, *words: Any) -> Any:
        raise MlflowException("the line is cut")

    written = trained(repository)
    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "create_logged_model", breaks)
        with pytest.raises(ReprolmError, match="the line is cut"):
            sync(repository)
    assert (Shipped.of(written.directory).status, Shipped.of(written.directory).whole) == ("FINISHED", False)
    flush(written.directory)
    assert "the end of the run is pending (the line is cut)" in capsys.readouterr().err
    sync(repository)
    assert Shipped.of(written.directory).whole
    assert len(models(to, runs(to)[0])) == 1


def test_a_second_sender_and_one_that_forgot_make_no_twin(repository: Path, to: Destination) -> None:
    written = trained(repository)
    sync(repository)
    before = models(to, runs(to)[0])
    (written.directory / SHIPPED).unlink()
    sync(repository)
    assert models(to, runs(to)[0]) == before
    assert len(before) == 1


def test_a_server_that_knows_no_such_models_has_the_run_without(
    repository: Path, one_server: Faulty, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", one_server.address)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", str(repository))
    written = trained(repository)
    one_server.goes("old")
    try:
        sync(repository)
    finally:
        one_server.goes("none")
    said = capsys.readouterr()
    assert re.fullmatch(r"tracking: \d+ records sent", said.out.splitlines()[-1])
    assert said.err == ""
    shipped = Shipped.of(written.directory)
    assert (shipped.status, shipped.error, shipped.over) == ("FINISHED", "", True)
    to = connect(repository)
    (run,) = runs(to)
    assert (run.info.status, files(to, run)) == ("FINISHED", ["plots/train.csv", "samples.json"])
    assert models(to, run) == []
