"""`reprolm promote`: the model of a run gets a name, and an alias by which others load it."""

import importlib.metadata
import os
import re
import shlex
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import reprolm
from reprolm.errors import Exit, Problem, ReprolmError
from reprolm.evaluate.continuation import OPTIONS
from reprolm.lineage.fetched import fetched
from reprolm.lineage.runs import Found, found
from reprolm.registry.signature import signature
from reprolm.tracking.destination import asking, uri
from reprolm.tracking.identity import redacted

if TYPE_CHECKING:
    from mlflow.entities import Metric

NAME = "language-model"
"""Also the name of the artifact in dvc.yaml."""
DIGEST = "digest.model"
SOURCES = {"model": "train", "tokenizer": "train_tokenizer"}
REQUIRED = (
    *("mlflow", "torch", "numpy", "pandas", "tokenizers", "safetensors", "pydantic", "ruamel.yaml"),
    *("jaxtyping", "regex", "tqdm"),
)
"""What a served model imports."""
JUDGED_ON = {"train/best_validation_loss": "validation", "train/final_train_loss": "train"}
"""The splits of the scores of training; its other numbers are no scores."""
PLEA = "Add type hints to the `predict` method"
KEPT_TAGS = (
    "git.commit",
    "git.dirty_sha256",
    "digest.params.yaml",
    "digest.requirements.lock",
    "digest.dvc.lock",
)


def requirements() -> list[str]:
    """The versions that are installed here, as pip takes them, without what a build adds."""
    return [f"{name}=={importlib.metadata.version(name).split('+')[0]}" for name in REQUIRED]


def _refuse_names(name: str, alias: str) -> None:
    """Before anything is logged: MLflow looks at the alias last, when the model has a version already."""
    want, problems = "1 to 250 letters, digits, - and _", []
    for option, value in {"--name": name, "--alias": alias}.items():
        if not re.fullmatch(r"[\w-]{1,250}", value):
            problems.append(Problem(option, "is no name for it", value, want))
    if re.fullmatch(r"latest|v\d+", alias, re.IGNORECASE):
        problems.append(
            Problem("--alias", "means a version to MLflow", alias, "another word than latest or v1")
        )
    if problems:
        raise ReprolmError(problems, Exit.PARAMETERS)


def promote(root: Path, word: str, name: str, alias: str) -> str:
    """Registers the model of a run as `name`, and lets `alias` point to it; the address to load it by.

    A model that has the name already only gets the alias.

    Raises:
        ReprolmError: a name that MLflow does not take (exit 2), no such run, or its model is no longer here
            (66), or damaged (76), or the store does not answer (69).
    """
    _refuse_names(name, alias)
    run = found(root, word)
    with asking(root):
        version = _version(root, run, name)
        run.to.client.set_registered_model_alias(name, alias, version)
    address = f"models:/{name}@{alias}"
    print(f"promote: {run.name} is version {version} of {name}: {address}")
    store = f"MLFLOW_TRACKING_URI={shlex.quote(redacted(uri(root)))}"
    print(f"promote: {store} mlflow models serve -m {address} --env-manager local -p 5001")
    return address


def _version(root: Path, run: Found, name: str) -> str:
    """That of the model of a run under a name, which it is given where it has none."""
    digest = run.digests().get("train", "")
    if digest and (known := _known(run, name, digest)):
        return known
    with tempfile.TemporaryDirectory() as folder:
        artifacts = {key: str(fetched(root, run, stage, Path(folder))) for key, stage in SOURCES.items()}
        return _registered(root, run, name, artifacts, digest)


def _known(run: Found, name: str, digest: str) -> str | None:
    """The newest version with this model, if there is one."""
    versions: list[Any] = run.to.client.search_model_versions(f"name = '{name}'")
    same = [int(each.version) for each in versions if each.tags.get(DIGEST) == digest]
    return str(max(same)) if same else None


def _registered(root: Path, run: Found, name: str, artifacts: dict[str, str], digest: str) -> str:
    """Logs the loadable model to the run and registers it; its version."""
    import mlflow
    from mlflow.models import Model

    tags = {tag: run.tags[tag] for tag in KEPT_TAGS if tag in run.tags}
    tags |= {DIGEST: digest, "digest.tokenizer": run.digests().get(SOURCES["tokenizer"], "")}
    # created here, as MLflow itself would take the experiment from what is set for the whole process
    created = run.to.client.create_logged_model(
        run.run.info.experiment_id, name, source_run_id=run.id, tags=tags, params=run.run.data.params
    )
    with _store(uri(root)), _no_plea():
        logged = Model.log(
            None, mlflow.pyfunc, run_id=run.id, registered_model_name=name, model_id=created.model_id,
            tags=tags, step=int(run.run.data.metrics.get("train/best_step", 0)),
            python_model=str(Path(__file__).with_name("served.py")), artifacts=artifacts,
            signature=signature(), pip_requirements=requirements(),
            input_example=([{"prompt": "Return the"}], OPTIONS | {"max_new_tokens": 8}),
            code_paths=[str(Path(reprolm.__file__).parent)],
        )  # fmt: skip
    linked = list(_metrics(run, logged.model_id))
    if linked:
        run.to.client.log_batch(run.id, metrics=linked)
    return str(logged.registered_model_version)


@contextmanager
def _store(address: str) -> Iterator[None]:
    """Where MLflow's own functions log to inside; its `set_tracking_uri` would hold for the whole process."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = address
    try:
        yield
    finally:
        del os.environ["MLFLOW_TRACKING_URI"]
        if before is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before


@contextmanager
def _no_plea() -> Iterator[None]:
    """Where MLflow's warning of missing type hints is not shown: `served.py` says why there are none.

    Not by a filter: MLflow puts one of its own before all others just there.
    """
    with warnings.catch_warnings():
        show = warnings.showwarning

        def others(message: Warning | str, *words: Any, **named: Any) -> None:
            if PLEA not in str(message):
                show(message, *words, **named)

        warnings.showwarning = others
        yield


def _metrics(run: Found, model: str) -> "Iterator[Metric]":
    """The numbers of a run for its model, a score with the split that it was measured on."""
    from mlflow.entities import Metric

    split = run.run.data.params.get("evaluate.split", "validation")
    data = {each.dataset.name.rsplit("/", 1)[-1]: each.dataset for each in run.run.inputs.dataset_inputs}
    for key, value in run.run.data.metrics.items():
        stage = key.split("/")[0]
        if stage not in ("train", "evaluate"):
            continue
        dataset = data.get(split if stage == "evaluate" else JUDGED_ON.get(key, ""))
        point = run.to.client.get_metric_history(run.id, key)[-1]
        if point.step == 0:
            about = {"dataset_name": dataset.name, "dataset_digest": dataset.digest} if dataset else {}
            yield Metric(key, value, point.timestamp, 0, model_id=model, run_id=run.id, **about)
