"""`dvc repro`, end to end."""

import csv
import json
from pathlib import Path

import pytest
from mlflow.entities import RunStatus

from reprolm.store import verified
from reprolm.tracking.charts import CURVES
from reprolm.tracking.shown import MOST_POINTS, MOST_SCALARS
from tests.pipeline.workspace import Workspace

STAGES = ["check", "download", "train_tokenizer", "encode", "train", "evaluate", "sample", "report"]
OUTPUTS = [
    "data/corpus/train.txt", "data/tokenizer/tokenizer.json", "data/tokens/tokens.json",
    "models/model/model.safetensors", "models/model/config.json", "plots/train.csv", "reports/index.html",
    "reports/samples/samples.json", "reports/evaluate/by_position.csv", "reports/train/certificate.json",
    "reports/train/events.jsonl", "reports/train/steps.csv",
    *(f"metrics/{stage}.json" for stage in STAGES[1:-1]),
]  # fmt: skip


def test_every_stage_runs_once_and_leaves_what_scripts_of_others_rely_on(finished: Workspace) -> None:
    assert finished.ran(finished.output) == STAGES  # type: ignore[attr-defined]
    assert not [name for name in OUTPUTS if not (finished.path / name).is_file()]
    for directory in (
        "data/corpus",
        "data/tokenizer",
        "data/tokens",
        "models/model",
        "reports/samples",
        "reports/train",
    ):
        verified(finished.path / directory)


def test_the_run_is_whole_in_mlflow(finished: Workspace) -> None:
    (run,) = finished.runs()
    assert run.info.status == RunStatus.to_string(RunStatus.FINISHED)
    assert run.data.params["model.d_model"] == "32"
    assert run.data.params["seed"] == "1"
    assert "model.rope.theta" in run.data.params
    assert "data.url.name" not in run.data.params
    metrics = json.loads((finished.path / "metrics" / "evaluate.json").read_text())
    assert run.data.metrics["evaluate/bits_per_byte"] == pytest.approx(metrics["bits_per_byte"])
    for stage in STAGES[1:]:
        assert run.data.tags[f"stage.{stage}"] == "ran"
    with (finished.path / "plots" / "train.csv").open() as file:
        rows = list(csv.DictReader(file))
    curve = finished.client().get_metric_history(run.info.run_id, "train/loss")
    shown = {point.step: point.value for point in curve}
    assert shown == {int(row["step"]): float(row["train_loss"]) for row in rows if row["train_loss"]}
    assert len(run.inputs.dataset_inputs) >= 1


def test_a_run_has_no_more_numbers_and_points_than_a_page_can_show(finished: Workspace) -> None:
    (run,) = finished.runs()
    client = finished.client()
    series = {key: client.get_metric_history(run.info.run_id, key) for key in run.data.metrics}
    scalars = {key for key, points in series.items() if [point.step for point in points] == [0]}
    curves = series.keys() - scalars
    assert len(series) <= MOST_SCALARS
    assert curves == set(CURVES)
    assert max(len(points) for points in series.values()) <= MOST_POINTS
    assert max(len(series[key]) for key in curves) == 20  # of 40 steps, every second


def test_the_model_learned_something(finished: Workspace) -> None:
    metrics = json.loads((finished.path / "metrics" / "evaluate.json").read_text())
    assert metrics["bits_per_byte"] < metrics["references"]["uniform"]


def test_a_second_repro_runs_nothing_and_makes_no_run(finished: Workspace) -> None:
    before = len(finished.runs())
    assert finished.ran(finished.run("dvc", "repro")) == []
    assert len(finished.runs()) == before
    assert finished.status() == ""


def test_the_page_is_whole_and_needs_no_network(finished: Workspace) -> None:
    page = (finished.path / "reports" / "index.html").read_text()
    assert "bits per byte" in page
    assert "src=" not in page.replace("src='data:", "").replace('src="data:', "")


def test_the_last_stage_shows_what_dvc_skipped(work: Workspace) -> None:
    output = work.run("dvc", "exp", "run", "-S", "evaluate.stride=8", "-n", "wider")
    assert work.ran(output) == ["check", "evaluate", "report"]
    run = work.runs()[-1]
    assert run.info.run_name == "wider"
    assert run.data.tags["stage.train"] == "cached"
    assert run.data.tags["stage.evaluate"] == "ran"
    assert run.data.tags["stage.sample"] == "cached"
    assert run.data.params["evaluate.stride"] == "8"
    assert "train/best_validation_loss" in run.data.metrics
    assert len(work.client().get_metric_history(run.info.run_id, "validation/loss")) == 4


def test_a_changed_parameter_reruns_what_depends_on_it(work: Workspace) -> None:
    output = work.run("dvc", "exp", "run", "-S", "train.learning_rate=0.001")
    assert work.ran(output) == ["check", "train", "evaluate", "sample", "report"]


def test_an_edited_text_runs_again(work: Workspace) -> None:
    path = work.path / "texts" / "story.txt"
    path.write_text(path.read_text().replace("Cat", "Dog") + "\n\nOne more paragraph of the story.\n")
    assert work.ran(work.run("dvc", "repro", "encode")) == ["download", "train_tokenizer", "encode"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("russian", "Жил-был у бабушки серенький козлик. ", marks=pytest.mark.heavy),
        ("nepali", "एक गाउँमा एउटा सानो केटो बस्थ्यो। "),
    ],
)
def test_own_text_in_any_script_is_one_line(work: Workspace, name: str, text: str) -> None:
    (work.path / f"{name}.txt").write_text("".join(f"{i} {text}" for i in range(600)))
    changed = ("-S", f"data.files.path={name}.txt", "-S", "sample.prompts=['1 ']")
    work.run("dvc", "exp", "run", *changed, "sample")
    corpus = (work.path / "data" / "corpus" / "train.txt").read_text()
    assert corpus.startswith(f"0 {text}1 {text}")
    assert len(json.loads((work.path / "reports" / "samples" / "samples.json").read_text())) == 2
    assert (work.path / "data" / "corpus" / "validation.txt").stat().st_size > 0


def test_a_clone_makes_the_same_bytes(finished: Workspace, tmp_path: Path) -> None:
    clone = finished.clone(tmp_path / "clone")
    assert clone.ran(clone.run("dvc", "repro")) == STAGES
    assert clone.status() == ""
    pages = [(place.path / "reports" / "index.html").read_bytes() for place in (finished, clone)]
    assert pages[0] == pages[1]


def test_a_run_of_mlflow_and_a_revision_are_compared_with_what_lies_here(work: Workspace) -> None:
    work.run("dvc", "exp", "run", "-S", "train.learning_rate=0.02", "-n", "slower", "train")
    (run,) = work.runs()
    assert work.run("reprolm", "verify", run.info.run_id).startswith("the same\n")
    for other in ("HEAD", "slower"):
        told = work.run("reprolm", "verify", run.info.run_id, other, code=int(other == "HEAD"))
        assert ("params differ: train.learning_rate 0.02 | 0.03" in told) == (other == "HEAD")
    assert "keeps no certificate" in work.run("reprolm", "verify", "no-such-revision", code=66)


def test_a_run_that_diverges_is_one_line_and_a_bundle_in_mlflow(work: Workspace) -> None:
    steps = {"train.optimizer": "sgd", "train.max_grad_norm": None, "train.learning_rate": 1e9}
    work.edit(steps)
    told = work.run("dvc", "repro", "train", code=255)
    (line,) = [line for line in told.splitlines() if line.startswith("reprolm: error:")]
    assert "NONFINITE" in line
    assert ".reprolm/checkpoints/" in line
    run = work.runs()[-1]
    assert run.data.tags["exit"] == "72"
    names = {each.path for each in work.client().list_artifacts(run.info.run_id, "forensics")}
    assert {"forensics/batch.txt", "forensics/norms.csv", "forensics/events.jsonl"} <= names
    text = Path(work.client().download_artifacts(run.info.run_id, "forensics/batch.txt")).read_text()
    assert " the " in text
