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
from typing import Any

import reprolm
from reprolm.errors import Exit, Problem, ReprolmError, refuse
from reprolm.evaluate.continuation import OPTIONS
from reprolm.lineage.fetched import fetched
from reprolm.lineage.runs import Found, found
from reprolm.registry.signature import signature
from reprolm.tracking.destination import asking, uri
from reprolm.tracking.identity import redacted
from reprolm.tracking.model import DIGEST, EXTERNAL, LOADABLE, keep_model, model_tags
from reprolm.tracking.shown import QUALITY, SCALARS
from reprolm.tracking.translation import Point

SOURCES = {"model": "train", "tokenizer": "train_tokenizer"}
REQUIRED = (
    *("mlflow", "torch", "numpy", "pandas", "tokenizers", "safetensors", "pydantic", "ruamel.yaml"),
    *("jaxtyping", "regex", "tqdm"),
)
"""What a served model imports."""
PLEA = "Add type hints to the `predict` method"


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
    score = run.run.data.metrics.get(QUALITY)
    told = run.name if score is None else f"{run.name} ({score:.4f} bits per byte)"
    print(f"promote: {told} is version {version} of {name}: {address}")
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
        return _registered(root, run, name, artifacts)


def _known(run: Found, name: str, digest: str) -> str | None:
    """The newest version with this model, if there is one."""
    versions: list[Any] = run.to.client.search_model_versions(f"name = '{name}'")
    same = [int(each.version) for each in versions if each.tags.get(DIGEST) == digest]
    return str(max(same)) if same else None


def _registered(root: Path, run: Found, name: str, artifacts: dict[str, str]) -> str:
    """Makes the model of the run loadable, if it is not yet, and registers it; its version."""
    import mlflow

    tags = model_tags(run.tags)
    model = keep_model(run.to, run.id, _points(run))
    if model is None:
        what, want = "keeps no models of runs", "a server of MLflow 3"
        raise refuse(redacted(uri(root)), what, want=want, exit=Exit.NETWORK)
    if LOADABLE not in model.tags:
        _send(root, run, model.model_id, artifacts)
    # files that were sent for another name may be served just now, and stay as they are
    with _store(uri(root)):
        return str(mlflow.register_model(f"models:/{model.model_id}", name, tags=tags).version)


def _send(root: Path, run: Found, model: str, artifacts: dict[str, str]) -> None:
    """Gives a model the files by which it is loaded."""
    import mlflow
    from mlflow.models import Model

    files = sum(path.is_file() for path in Path(reprolm.__file__).parent.rglob("*.py"))
    # one by one: a server that asks for a password may take minutes
    print(f"promote: sends the model and {files} files of its code to {redacted(uri(root))}", flush=True)
    # MLflow deletes the tag where it is true, and not everybody who may write may delete
    run.to.client.set_logged_model_tags(model, {EXTERNAL: "false"})
    # without run_id: MLflow would name the model once more among what the run made, which its store refuses
    with _store(uri(root)), _no_plea():
        Model.log(
            None, mlflow.pyfunc, model_id=model,
            python_model=str(Path(__file__).with_name("served.py")), artifacts=artifacts,
            signature=signature(), pip_requirements=requirements(),
            input_example=([{"prompt": "Return the"}], OPTIONS | {"max_new_tokens": 8}),
            code_paths=[str(Path(reprolm.__file__).parent)],
        )  # fmt: skip
    run.to.client.set_logged_model_tags(model, {LOADABLE: "true"})


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


def _points(run: Found) -> Iterator[Point]:
    """The numbers of a run as they were sent to MLflow."""
    for key in run.run.data.metrics:
        if key in SCALARS:
            point = run.to.client.get_metric_history(run.id, key)[-1]
            yield key, point.value, point.timestamp, point.step
