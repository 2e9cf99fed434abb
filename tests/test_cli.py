"""The `reprolm` command."""

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from reprolm.cli import sample
from reprolm.errors import Exit, ReprolmError
from reprolm.evaluate.continuation import OPTIONS
from reprolm.evaluate.pair import load_pair
from reprolm.model.initialise import initialise
from reprolm.model.storage import save_model
from reprolm.model.transformer import Transformer
from reprolm.store import publish_directory
from reprolm.tokenizers.character import CharacterTokenizer
from reprolm.tokenizers.config import TokenizerConfig
from reprolm.tokenizers.load import load
from tests.settings import ROOT, model_config, raw


def reprolm(*words: str, cwd: Path = ROOT, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = (
        os.environ | {"PYTHONPATH": str(ROOT / "src")} | ({"PATH": path} if path is not None else {})
    )
    command = [sys.executable, "-m", "reprolm", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_a_mistyped_command_is_told_in_words_and_exits_2() -> None:
    done = reprolm("smaple", "Once")
    assert done.returncode == 2
    assert "smaple" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_message_stays_on_one_line_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    done = reprolm("sample", "--prompt-that-does-not-exist", "Once")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "Error: No such option: --prompt-that-does-not-exist"


def test_a_terminal_without_a_character_is_shown_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = reprolm("doctor")
    assert done.returncode == 0
    assert "\\u2713 system" in done.stdout


def test_without_a_word_it_shows_what_there_is() -> None:
    done = reprolm()
    assert "sample" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_text_that_is_not_there_is_found_before_a_stage_does(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("source: docstrings", "source: files", 1))
    done = reprolm("check", cwd=tmp_path)
    assert done.returncode == Exit.MISSING
    assert done.stderr.startswith("reprolm: error: data.files.path: is not there")


def test_parameters_are_checked_from_any_folder_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "deep").mkdir()
    shutil.copy(ROOT / "params.yaml", tmp_path)
    assert reprolm("check", cwd=tmp_path / "deep").returncode == 0
    (tmp_path / "params.yaml").write_text("seed: one\n")
    done = reprolm("check", cwd=tmp_path / "deep")
    assert done.returncode == 2
    assert "reprolm: error: seed: has a wrong value" in done.stderr


def test_a_missing_model_is_one_line(tmp_path: Path) -> None:
    done = reprolm("sample", "Once", cwd=tmp_path)
    assert done.returncode == 66
    assert len(done.stderr.splitlines()) == 1


def test_a_text_is_continued_in_a_terminal_as_by_a_served_model() -> None:
    options = {"max_new_tokens": "tokens", "temperature": "temperature", "seed": "seed"}
    said = {parameter.name: parameter.default for parameter in inspect.signature(sample).parameters.values()}
    assert {name: said[option] for name, option in options.items()} == {
        name: OPTIONS[name] for name in options
    }


@pytest.mark.parametrize(
    "words", ["compare a b", "lineage latest", "verify a b", "verify --deep", "sync", "promote a"]
)
def test_a_command_in_a_folder_that_is_no_repository_is_refused_and_writes_nothing(
    tmp_path: Path, words: str
) -> None:
    done = reprolm(*words.split(), cwd=tmp_path)
    assert done.returncode == 66
    assert done.stderr == f"reprolm: error: {tmp_path}: is in no repository (want cd to a clone of reprolm)\n"
    assert not list(tmp_path.iterdir())


def test_where_nothing_has_been_run_yet_that_is_all_that_is_said(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    done = reprolm("lineage", "latest", cwd=tmp_path)
    said = "run: is not known: nothing has been run yet (got latest; want dvc repro first)"
    assert (done.returncode, done.stderr) == (66, f"reprolm: error: {said}\n")


@pytest.mark.parametrize("words", ["compare a b", "lineage latest"])
def test_a_folder_is_no_page(tmp_path: Path, words: str) -> None:
    (tmp_path / ".dvc").mkdir()
    done = reprolm(*words.split(), "--out", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 2
    assert "is a directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_works_where_nothing_is_found(tmp_path: Path) -> None:
    done = reprolm("doctor", cwd=tmp_path, path=str(tmp_path))
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "! programs: git, dvc not found → install git; source .venv/bin/activate" in done.stdout
    assert "! git identity: none → git config user.name" in done.stdout


def test_a_model_refuses_a_tokenizer_that_it_was_not_trained_with(tmp_path: Path) -> None:
    settings = TokenizerConfig.model_validate(raw("tokenizer", kind="character", end_of_document=False))
    for name, characters in (("right", "abc"), ("wrong", "abd")):
        with publish_directory(tmp_path / name) as out:
            CharacterTokenizer.train([characters], settings).save(out)
    digest = load(tmp_path / "right").digest
    with publish_directory(tmp_path / "model") as out:
        save_model(out, initialise(Transformer(model_config(), 3), seed=1), {"tokenizer": digest})
    model, tokenizer = load_pair(tmp_path / "model", tmp_path / "right")
    assert model(torch.tensor([tokenizer.encode("abc")])).shape == (1, 3, 3)
    with pytest.raises(ReprolmError, match="was trained with another tokenizer") as caught:
        load_pair(tmp_path / "model", tmp_path / "wrong")
    assert caught.value.exit is Exit.INTEGRITY
