"""The LoggedModel of a run: what it says, that there is one, and that nothing hangs on it."""

import re
from pathlib import Path
from typing import Any

import pytest

from reprolm.tracking.destination import Destination, connect
from reprolm.tracking.mirror import SHIPPED, Shipped
from reprolm.tracking.model import model_of
from reprolm.tracking.shipper import sync
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
    found = model_of(to, run.info.run_id)
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
    assert set(numbers) <= set(run.data.metrics)
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
    found = model_of(to, run.info.run_id)
    assert found is not None
    assert found.name == named


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
