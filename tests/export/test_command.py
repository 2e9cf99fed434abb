"""`reprolm export hf`, as a user types it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reprolm.export.parity import ask
from reprolm.export.record import record
from reprolm.store import directory_digest
from reprolm.tokenizers.character import CharacterTokenizer
from reprolm.tracking.destination import Destination, connect
from tests.export.published import publish
from tests.settings import ROOT
from tests.tokenizers.settings import tokenizer_config

TOKENIZER = CharacterTokenizer.train(["The quick brown fox"], tokenizer_config(kind="character"))
DIGEST = "d" * 64
NAMES = ("MLFLOW", "REPROLM", "DVC")


def hf(cwd: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NAMES)}
    command = [sys.executable, "-m", "reprolm", "export", "hf", *words]
    environment = kept | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def run(to: Destination, digest: str, state: str) -> str:
    tags = {"stage.train.digest": digest, "stage.train": state}
    return str(to.client.create_run(to.experiment, tags=tags).info.run_id)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(NAMES):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose store holds two runs with the digest of its model, of which one made it."""
    root = tmp_path_factory.mktemp("repository")
    publish(root, TOKENIZER)
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(NAMES):
                patch.delenv(name)
        to = connect(root)
    digest = directory_digest(root / "models" / "model")
    (root / "made").write_text(run(to, digest, "ran"))
    run(to, digest, "cached")
    run(to, "e" * 64, "ran")
    return root


def test_the_numbers_of_an_export_stand_on_the_run_that_made_the_model(repository: Path) -> None:
    pytest.importorskip("transformers")
    (repository / "deep").mkdir()
    done = hf(repository / "deep", "out")
    assert done.returncode == 0, done.stderr
    assert (repository / "deep" / "out" / "model.safetensors").is_file()
    first, second = done.stdout.splitlines()
    assert first.startswith("export: out, in the layout of Apertus; largest logit difference ")
    assert second.startswith("export: recorded in MLflow: run ")
    to = connect(repository)
    made = (repository / "made").read_text()
    for each in to.client.search_runs([to.experiment]):
        assert bool(each.data.metrics) == (each.info.run_id == made)
    metrics = to.client.get_run(made).data.metrics
    assert metrics["export/greedy_tokens"] == 64
    assert metrics["export/logit_difference"] <= 1e-5
    assert metrics["export/perplexity_difference"] <= 1e-5


def test_an_architecture_without_a_layout_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    publish(tmp_path, TOKENIZER, position="alibi")
    done = hf(tmp_path, "out")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "reprolm: error: model.position: cannot be expressed by the nearest layout of Hugging Face, Apertus "
        "(got alibi; want rope)"
    ]
    assert not (tmp_path / "out").exists()


def test_a_model_that_no_run_made_is_said_not_to_be_recorded(repository: Path) -> None:
    assert record(repository, DIGEST, {}) == "not recorded in MLflow: none of its runs made this model"


def test_without_a_store_none_is_made(tmp_path: Path) -> None:
    assert record(tmp_path, DIGEST, {}).startswith("not recorded in MLflow: there is no store at sqlite:///")
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    line = record(tmp_path, DIGEST, {})
    assert line.startswith("not recorded in MLflow: ")
    assert len(line.splitlines()) == 1


def test_tracking_that_is_off_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPROLM_TRACKING", "off")
    assert record(tmp_path, DIGEST, {}) == "not recorded in MLflow: it is off, or not installed"


def test_a_folder_that_transformers_cannot_load_is_told_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "asked.json").write_text('{"windows": [[0]], "prompts": [[0]], "steps": 1, "texts": []}')
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    said = ask(tmp_path, tmp_path)
    assert len(said.splitlines()) == 1
    assert "model.safetensors" in said
