"""Kills and bad input, through DVC."""

import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from reprolm.tracking.ending import tells
from tests.pipeline import workspace
from tests.pipeline.workspace import Workspace, story


def train_process(of: int) -> psutil.Process | None:
    """The stage `train` below a process."""
    for child in psutil.Process(of).children(recursive=True):
        try:
            if any("stages/train.py" in word for word in child.cmdline()) and "python" in child.name():
                return child
        except psutil.Error:
            continue
    return None


def killed_while_training(work: Workspace, checkpoints: int) -> str:
    """Starts `dvc repro`, kills the stage `train` when it has so many checkpoints; what was printed."""
    process = work.start("dvc", "repro")
    while process.poll() is None:
        saved = list((work.path / ".reprolm" / "checkpoints").glob("*/step-*"))
        trainer = train_process(process.pid)
        if len(saved) >= checkpoints and trainer is not None:
            trainer.kill()
            break
        time.sleep(0.01)
    output, _ = process.communicate()
    assert process.returncode == 255, output
    return output


def test_a_killed_training_resumes_through_dvc_and_ends_byte_identical(
    finished: Workspace, tmp_path: Path
) -> None:
    clone = finished.clone(tmp_path / "clone")
    killed_while_training(clone, checkpoints=1)
    assert not (clone.path / "models" / "model").exists()
    output = clone.run("dvc", "repro")
    assert "train: resumes after step" in output
    assert clone.ran(output)[:1] == ["train"]
    assert clone.status() == ""  # dvc.lock, metrics and curve are those of the run that was never interrupted
    killed, whole = clone.runs()
    assert killed.info.status == "KILLED"
    assert whole.info.status == "FINISHED"
    steps = [point.step for point in clone.client().get_metric_history(whole.info.run_id, "train/loss")]
    assert steps == list(range(2, 41, 2))
    assert not list((clone.path / ".reprolm" / "checkpoints").glob("*/step-*"))


def test_a_kill_after_training_and_before_dvc_records_it_trains_nothing_anew(work: Workspace) -> None:
    work.edit({"train.learning_rate": 0.001})
    work.run(
        "dvc", "repro", "train"
    )  # the checkpoints stay until a later stage knows that dvc.lock has the model
    work.run("git", "checkout", "dvc.lock")
    shutil.rmtree(work.path / "models")
    shutil.rmtree(work.path / ".dvc" / "cache" / "runs")
    assert "train: resumes after step 40 of 40" in work.run("dvc", "repro", "train")


def test_a_stage_dies_with_dvc_and_the_next_run_is_clean(work: Workspace) -> None:
    work.set(train__steps=4000, train__checkpoint_every_steps=4000, train__validate_every_steps=4000)
    process = work.start("dvc", "repro")
    while (trainer := train_process(process.pid)) is None or not list(
        (work.path / ".reprolm" / "checkpoints").glob("*/key.json")
    ):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    trainer.wait(timeout=60)
    work.set(train__steps=20)
    assert "train" in work.ran(work.run("dvc", "repro", "train"))


def contents(work: Workspace) -> dict[str, bytes]:
    """Every output of the pipeline, by its path in the repository."""
    places = ("data", "models", "metrics", "plots", "reports")
    files = [path for place in places for path in (work.path / place).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(work.path)): path.read_bytes() for path in files if path.name != "parameters.ok"
    }


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("model.n_heads", 5, "model.n_heads: does not divide model.d_model = 32 (got 5; want 4 or 8)"),
        ("train.learning_rate", "fast", "train.learning_rate: has a wrong value (got fast; want a number)"),
        (
            "data.files.path",
            "none.txt",
            "data.files.path: is not there (got none.txt; want a file or folder)",
        ),
    ],
)
def test_bad_parameters_are_one_line_and_touch_nothing(
    work: Workspace, key: str, value: object, line: str
) -> None:
    before = contents(work)
    work.edit({key: value})
    output = work.run("dvc", "repro", code=255)
    assert f"reprolm: error: {line}" in output
    assert "Traceback" not in output
    assert "keeps the refused values" not in output
    assert contents(work) == before


def test_an_experiment_of_a_refused_value_says_how_to_get_the_parameters_back(tmp_path: Path) -> None:
    work = workspace.new(tmp_path)
    before = (work.path / "params.yaml").read_bytes()
    output = work.run("dvc", "exp", "run", "-S", "model.n_heads=5", code=255)
    assert "model.n_heads: does not divide" in output
    back = "reprolm: params.yaml keeps the refused values; as it was committed: "
    (way,) = (line.removeprefix(back) for line in output.splitlines() if line.startswith(back))
    assert (work.path / "params.yaml").read_bytes() != before
    work.run("sh", "-c", way)
    assert (work.path / "params.yaml").read_bytes() == before
    work.edit({"train.steps": 7})
    output = work.run("dvc", "exp", "run", "-S", "model.n_heads=5", code=255)
    assert "beside changes of yours that no commit has: set model.n_heads back in it" in output
    assert "git show" not in output
    (work.path / "params.yaml").write_text("seed: 1\n")
    work.commit()
    assert "keeps the refused" not in work.run("dvc", "exp", "run", code=255)
    assert "keeps the refused" not in work.run("dvc", "exp", "run", "--temp", "-S", "seed=x", code=255)


def test_a_prompt_that_the_vocabulary_cannot_write_is_refused_before_training(work: Workspace) -> None:
    line = "reprolm: error: sample.prompts: SNOWMAN, U+2603 at position 4, is not in the vocabulary"
    work.edit({"tokenizer.kind": "character", "sample.prompts": ["the \u2603"]})
    output = work.run("dvc", "repro", code=255)
    assert line in output
    assert work.ran(output) == ["check", "train_tokenizer"]
    work.edit({"sample.prompts": ["the "]})
    work.run("dvc", "repro", "encode")
    # no vocabulary is learned again for a prompt, and yet nothing is trained
    work.edit({"sample.prompts": ["the \u2603"]})
    output = work.run("dvc", "repro", code=255)
    assert line in output
    assert work.ran(output) == ["check", "train"]
    assert "tokens/s" not in output


def test_a_stage_called_by_hand_exits_2(work: Workspace) -> None:
    work.edit({"model.n_heads": 5})
    output = work.run("python", "stages/train.py", code=2)
    assert output.splitlines()[0].startswith("reprolm: error: model.n_heads: does not divide")
    assert "reprolm: error: model.n_heads" in work.run("reprolm", "check", code=2)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "data.files.path: holds no text (got texts; want at least one document)"),
        (b"A good start.\n" * 100 + b"\xff\xfe", "texts/story.txt: is not UTF-8"),
        (story(3).replace("\n\n", " ").encode(), "the validation split is shorter than one window"),
    ],
)
def test_bad_text_is_one_line_and_the_earlier_outputs_are_a_checkout_away(
    work: Workspace, content: bytes, line: str
) -> None:
    before = contents(work)
    (work.path / "texts" / "story.txt").write_bytes(content)
    output = work.run("dvc", "repro", code=255)
    errors = [text for text in output.splitlines() if text.startswith("reprolm: error: ")]
    assert len(errors) == 1
    assert line in errors[0]
    assert "Traceback" not in output
    (advice,) = [text for text in output.splitlines() if "comes back with: " in text]
    work.run("bash", "-c", advice.split("comes back with: ")[1])
    assert contents(work) == before


def test_another_python_is_told_which_one_is_wanted(work: Workspace) -> None:
    done = work.run("/usr/bin/env", "python3", "-S", "stages/check.py", code=66)
    assert "source .venv/bin/activate" in done
    assert len(done.splitlines()) == 1


def test_a_dvc_killed_between_two_stages_leaves_no_run_that_looks_finished(work: Workspace) -> None:
    work.edit({"tokenizer.vocab_size": 310})
    process = work.start("dvc", "repro")
    ended = '"kind":"ended","stage":"train_tokenizer"'
    journals = work.path / ".reprolm" / "executions"
    while process.poll() is None:
        if any(ended in path.read_text() for path in journals.glob("*/journal.jsonl")):
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.005)
    process.communicate()
    while not any('"over": true' in path.read_text() for path in journals.glob("*/shipped.json")):
        time.sleep(0.1)  # its shipper is at it
    (run,) = work.runs()
    assert run.data.tags["stage.train_tokenizer"] == "ran"
    assert run.info.status == "KILLED"


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        pytest.param(
            "stages:\n", "stages:\n  mine: {cmd: 'false', deps: [data/tokenizer]}\n",
            "dvc ended with exit code 255 after train_tokenizer",
            marks=pytest.mark.skipif(not tells(), reason="the system does not tell how dvc ended"),
        ),
        ("- data/tokenizer\n    metrics", "- data/tokenizer\n      - no\n    metrics", "it left no no"),
    ],
    ids=["a stage of one's own", "a missing output"],
)  # fmt: skip
def test_a_dvc_that_ends_with_an_error_after_a_stage_fails_its_run(
    work: Workspace, before: str, after: str, error: str
) -> None:
    pipeline = work.path / "dvc.yaml"
    pipeline.write_text(pipeline.read_text().replace(before, after, 1))
    work.edit({"tokenizer.vocab_size": 310})
    targets = ["mine"] if "mine" in after else []
    work.run("dvc", "repro", *targets, code=255)
    (run,) = work.runs()
    assert run.data.tags["stage.train_tokenizer"] == "ran"
    assert run.info.status == "FAILED"
    assert error in run.data.tags["error"]


@pytest.mark.heavy
def test_two_processes_die_with_their_dvc_and_train_what_one_trains(
    finished: Workspace, tmp_path: Path
) -> None:
    clone = finished.clone(tmp_path / "clone")
    clone.edit({"train.processes": 2})
    process = clone.start("dvc", "repro", "train")
    while process.poll() is None:
        if list((clone.path / ".reprolm" / "checkpoints").glob("*/step-*")):
            break
        time.sleep(0.01)
    children = psutil.Process(process.pid).children(recursive=True)
    trainers = [child for child in children if "stages/train.py" in child.cmdline()]
    assert len(trainers) == 2
    process.kill()
    process.communicate()
    assert not psutil.wait_procs(trainers, timeout=30)[1]
    assert "train: resumes after step" in clone.run("dvc", "repro", "train")
    assert clone.runs()[-1].data.tags["processes"] == "2"
    one, two = (np.genfromtxt(each.path / "plots" / "train.csv", delimiter=",", skip_header=1)
                for each in (finished, clone))  # fmt: skip
    np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-5)
