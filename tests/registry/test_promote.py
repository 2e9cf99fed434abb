"""A promoted model: what MLflow loads by its name."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reprolm.errors import Exit, ReprolmError
from reprolm.evaluate.continuation import OPTIONS
from reprolm.lineage.runs import found
from reprolm.lineage.tree import versions
from reprolm.registry.command import NAME
from reprolm.registry.promote import REQUIRED, promote
from reprolm.store import directory_digest, file_sha256, publish_directory
from reprolm.tokenizers.raw import BytesTokenizer
from reprolm.tracking.datasets import CONTEXTS, splits
from reprolm.tracking.destination import Destination, uri
from reprolm.tracking.model import EXTERNAL, LOADABLE
from reprolm.tracking.shipper import sync
from tests.architecture.closure import PACKAGE, closure, pipeline, third_party
from tests.export.published import publish
from tests.tokenizers.settings import tokenizer_config
from tests.tracking.executions import Written

TRAINED = {"best_validation_loss": 2.5, "best_step": 40, "final_train_loss": 2.25, "tokens": 5120}
PROMPT = pd.DataFrame({"prompt": ["To be"]})


def recorded(root: Path) -> str:
    """The run that made what lies in a repository; its name."""
    written = Written(root, name="vexed-moth")
    for stage, path in {"train_tokenizer": "data/tokenizer", "train": "models/model"}.items():
        written.start(stage)
        written.add("outputs", stage=stage, outputs={"o": directory_digest(root / path)})
        written.end(stage)
    for data in splits("files"):
        written.add("dataset", stage="download", **data)
    written.add("numbers", stage="train", numbers=TRAINED)
    written.add("numbers", stage="evaluate", numbers={"bits_per_byte": 1.5})
    sync(root)
    return "vexed-moth"


@pytest.fixture
def root(repository: Path, to: Destination, monkeypatch: pytest.MonkeyPatch) -> Path:
    with publish_directory(repository / "data" / "corpus") as out:
        for split in CONTEXTS:
            (out / f"{split}.txt").write_text(f"text to {split}")
    publish(repository, BytesTokenizer.train([], tokenizer_config(kind="bytes")))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri(repository))
    monkeypatch.chdir(repository)
    return repository


def test_a_promoted_model_is_loaded_by_its_alias_and_does_as_it_is_asked(root: Path, to: Destination) -> None:
    import mlflow

    address = promote(root, recorded(root), NAME, "champion")
    model = mlflow.pyfunc.load_model(address)

    def said(**params: Any) -> str:
        (text,) = model.predict(PROMPT, params={"max_new_tokens": 12} | params)
        return str(text)

    assert said(seed=1) == said(seed=1)
    assert said(seed=1) != said(seed=2)
    assert said(seed=1, temperature=0.0) == said(seed=2, temperature=0.0, top_k=1)
    assert said(seed=1, top_p=0.001) == said(temperature=0.0)
    assert len(said(max_new_tokens=3, temperature=0.0)) < len(said(temperature=0.0))
    assert said(seed=1).startswith("To be")
    assert list(model.predict({"prompt": "To be"}, params={"max_new_tokens": 12})) == [said()]
    with pytest.raises(Exception, match=r"sample\.top_p"):
        said(top_p=2.0)
    run = to.client.get_run(to.client.get_model_version_by_alias(NAME, "champion").run_id)
    (logged,) = to.client.search_logged_models([to.experiment])
    assert [each.model_id for each in run.outputs.model_outputs] == [logged.model_id]
    assert run.info.status == "FINISHED"


def test_the_model_of_a_run_becomes_loadable_and_has_no_twin(root: Path, to: Destination) -> None:
    import mlflow

    name = recorded(root)
    (before,) = to.client.search_logged_models([to.experiment])
    with pytest.raises(Exception, match=r"(?i)external|no such|not find"):
        mlflow.pyfunc.load_model(f"models:/{before.model_id}")
    numbers = to.client.get_run(before.source_run_id).data.metrics
    promote(root, name, NAME, "champion")
    (after,) = to.client.search_logged_models([to.experiment])
    assert (after.model_id, after.name, after.params) == (before.model_id, before.name, before.params)
    assert {**before.tags, EXTERNAL: "false", LOADABLE: "true"}.items() <= after.tags.items()
    assert str(after.status) == "READY"
    assert len(after.metrics) == len(before.metrics)
    assert to.client.get_run(before.source_run_id).data.metrics == numbers
    assert mlflow.pyfunc.load_model(f"models:/{before.model_id}")


def test_a_second_name_leaves_the_files_of_the_first_as_they_are(root: Path, to: Destination) -> None:
    import mlflow

    name = recorded(root)
    promote(root, name, NAME, "champion")
    (logged,) = to.client.search_logged_models([to.experiment])
    place = Path(logged.artifact_location.removeprefix("file://"))
    times = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    address = promote(root, name, "other", "champion")
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == times
    assert len(to.client.search_logged_models([to.experiment])) == 1
    assert "language-model version 1 @champion" in versions(found(root, name))
    assert "other version 1 @champion" in versions(found(root, name))
    assert mlflow.pyfunc.load_model(address)


def test_who_may_not_delete_promotes_nevertheless(
    root: Path, to: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(self: object, *words: object) -> None:
        raise AssertionError("needs more than the right to edit")

    monkeypatch.setattr("mlflow.MlflowClient.delete_logged_model_tag", refuses)
    assert promote(root, recorded(root), NAME, "champion") == f"models:/{NAME}@champion"


@pytest.mark.parametrize("method", ["log_model_artifacts", "set_logged_model_tags"])
def test_a_model_whose_sending_broke_off_is_sent_again(
    root: Path, to: Destination, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    import mlflow
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    whole = getattr(MlflowClient, method)

    def breaks(self: MlflowClient, model_id: str, what: object) -> None:
        if what != {EXTERNAL: "false"}:
            raise MlflowException("the line is cut")
        whole(self, model_id, what)

    name = recorded(root)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, method, breaks)
        with pytest.raises(ReprolmError, match="the line is cut"):
            promote(root, name, NAME, "champion")
    assert mlflow.pyfunc.load_model(promote(root, name, NAME, "champion"))
    (logged,) = to.client.search_logged_models([to.experiment])
    assert str(logged.status) == "READY"


def test_each_score_names_the_split_that_it_was_measured_on_and_a_count_names_none(
    root: Path, to: Destination
) -> None:
    promote(root, recorded(root), NAME, "champion")
    (logged,) = to.client.search_logged_models([to.experiment])
    scores = {each.key: (each.value, each.dataset_name, each.dataset_digest) for each in logged.metrics}
    files = {split: file_sha256(root / "data" / "corpus" / f"{split}.txt")[:36] for split in CONTEXTS}
    assert scores["evaluate/bits_per_byte"] == (1.5, "files/test", files["test"])
    assert scores["train/best_validation_loss"] == (2.5, "files/validation", files["validation"])
    assert scores["train/final_train_loss"] == (2.25, "files/train", files["train"])
    assert scores["train/best_step"] == (40, None, None)
    assert scores["train/tokens"] == (5120, None, None)


def test_it_logs_what_others_need_to_install_and_a_request_that_the_model_answers(
    root: Path, to: Destination
) -> None:
    import mlflow

    model = Path(mlflow.artifacts.download_artifacts(promote(root, recorded(root), NAME, "champion")))
    pins = dict(line.split("==") for line in (model / "requirements.txt").read_text().splitlines())
    assert set(pins) == set(REQUIRED)
    assert all(importlib.metadata.version(name).split("+")[0] == pin for name, pin in pins.items())
    described = mlflow.models.Model.load(model)
    example = described.load_input_example(str(model))
    assert example == [{"prompt": "Return the"}]
    params = described.load_input_example_params(str(model))
    assert params == OPTIONS | {"max_new_tokens": 8}
    (answer,) = mlflow.pyfunc.load_model(str(model)).predict(example, params=params)
    assert answer.startswith("Return the")


PROMOTES = """
import sys, warnings
from pathlib import Path
from reprolm.registry import promote
made = promote.signature
promote.signature = lambda: warnings.warn("another word") or made()
promote.promote(Path(sys.argv[1]), sys.argv[2], "language-model", "champion")
"""


def test_mlflow_does_not_ask_for_type_hints_that_would_spoil_the_signature(root: Path) -> None:
    command = [sys.executable, "-c", PROMOTES, str(root), recorded(root)]
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "models:/language-model@champion" in done.stdout
    assert "type hints" not in done.stderr + done.stdout
    assert "another word" in done.stderr


def test_it_leaves_mlflow_itself_as_it_was(root: Path) -> None:
    import mlflow

    before = mlflow.get_tracking_uri(), dict(os.environ)
    promote(root, recorded(root), NAME, "champion")
    os.environ["MLFLOW_TRACKING_URI"] = "sqlite:///another.db"
    assert mlflow.get_tracking_uri() == "sqlite:///another.db"
    os.environ["MLFLOW_TRACKING_URI"] = before[0]
    assert dict(os.environ) == before[1]


def test_a_model_that_has_a_name_only_gets_another_alias(root: Path, to: Destination) -> None:
    name = recorded(root)
    promote(root, name, NAME, "champion")
    shutil.rmtree(root / "models")
    promote(root, name, NAME, "challenger")
    assert len(to.client.search_model_versions(f"name = '{NAME}'")) == 1
    assert set(to.client.get_model_version(NAME, "1").aliases) == {"challenger", "champion"}
    assert "language-model version 1 @ch" in versions(found(root, name))[0]


@pytest.mark.parametrize(
    ("name", "alias"),
    [(NAME, "v1"), (NAME, "V12"), (NAME, "Latest"), (NAME, "a b"), (NAME, ""), ("a/b", "a"), ("it's", "a"),
     ("a.b", "a"), ("a%b", "a"), ("a\n", "a"), ("n" * 251, "a")],
)  # fmt: skip
def test_a_name_that_mlflow_refuses_is_refused_before_anything_is_logged(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, alias: str
) -> None:
    def asked(root: Path, word: str) -> Any:
        raise AssertionError

    monkeypatch.setattr("reprolm.registry.promote.found", asked)
    with pytest.raises(ReprolmError, match=r"^--(name|alias): ") as caught:
        promote(root, "vexed-moth", name, alias)
    assert caught.value.exit is Exit.PARAMETERS
    assert len(str(caught.value).splitlines()) == 1


def test_a_registry_that_refuses_is_one_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def refuses(self: MlflowClient, filter_string: str) -> Any:
        raise MlflowException("no registry here\nat all")

    name = recorded(root)
    monkeypatch.setattr(MlflowClient, "search_model_versions", refuses)
    with pytest.raises(ReprolmError, match=r"does not answer \(got no registry here\)") as caught:
        promote(root, name, NAME, "champion")
    assert caught.value.exit is Exit.NETWORK


def test_a_model_that_is_no_longer_here_is_refused_with_what_to_type(root: Path) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "-f", "--no-scm"], cwd=root, check=True)
    name = recorded(root)
    shutil.rmtree(root / "models")
    with pytest.raises(ReprolmError, match="reprolm recreate") as caught:
        promote(root, name, NAME, "champion")
    assert caught.value.exit is Exit.MISSING


def test_all_that_a_served_model_imports_is_required() -> None:
    reached = closure(PACKAGE / "registry" / "signature.py") | closure(PACKAGE / "registry" / "served.py")
    names = {name for file in reached for name in third_party(file)}
    ours = {"reprolm", "pydantic_core"}  # the latter is pinned by pydantic itself
    foreign = {name for name in names if name not in sys.stdlib_module_names} - ours
    assert {name.replace("ruamel", "ruamel.yaml") for name in foreign} <= set(REQUIRED)


def test_predict_has_no_type_hints_for_they_would_replace_the_signature() -> None:
    source = (PACKAGE / "registry" / "served.py").read_text()
    assert "def predict(self, context, model_input, params=None):" in source


def test_the_artifact_of_dvc_has_the_name_of_the_model() -> None:
    assert pipeline()["artifacts"][NAME]["path"] == "models/model"
