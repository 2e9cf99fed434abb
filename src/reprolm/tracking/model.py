"""The model of a run in MLflow: a LoggedModel that names the files by their digest and has no copy of them.

The files are in DVC's cache. `reprolm promote` adds to the same LoggedModel what makes it loadable.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from reprolm.store import step
from reprolm.tracking.destination import Destination, unknown_to

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, Metric, Run

    from reprolm.tracking.translation import Point

DIGEST = "digest.model"
EXTERNAL = "mlflow.model.isExternal"
"""By this tag MLflow knows a model whose files it does not have."""
LOADABLE = "reprolm.loadable"
"""Our own, of a model whose files have all been sent."""
STAGE_TAGS = {"train": DIGEST, "train_tokenizer": "digest.tokenizer"}
KEPT_TAGS = (
    "git.commit",
    "git.dirty_sha256",
    "digest.params.yaml",
    "digest.requirements.lock",
    "digest.dvc.lock",
)
PARAMS = (
    *("n_layers", "d_model", "n_heads", "n_kv_heads", "d_ff", "context_length"),
    *("norm", "position", "feedforward", "moe.n_experts", "moe.top_k", "tie_embeddings"),
)
"""What tells models apart, of the section `model`; the others stand in the run."""
TOKENIZER_PARAMS = ("tokenizer.kind", "tokenizer.vocab_size")
COUNT = "train/parameters/total"
BEST_STEP = "train/best_step"
JUDGED_ON = {"train/best_validation_loss": "validation", "train/final_train_loss": "train"}
"""The splits of the scores of training; its other numbers are no scores."""


def model_of(to: Destination, run: "Run") -> "LoggedModel | None":
    """The LoggedModel of a run, if it has one; one that bears no digest is somebody else's.

    Raises:
        MlflowException: the store does not answer, or knows no such models.
    """
    wanted = f"source_run_id = '{run.info.run_id}'"
    found = to.client.search_logged_models([run.info.experiment_id], wanted)
    ours = [model for model in found if DIGEST in model.tags]
    return min(ours, key=lambda m: (LOADABLE not in m.tags, m.creation_timestamp, m.model_id), default=None)


def keep_model(to: Destination, id: str, points: "Iterable[Point]") -> "LoggedModel | None":
    """Gives a run its LoggedModel, once, and that the numbers of the run; None where the store has no such.

    Raises:
        MlflowException: the store does not answer, or refuses.
    """
    run = to.client.get_run(id)
    try:
        model = model_of(to, run) or _created(to, run)
    except Exception as error:
        # a server before MLflow 3
        if unknown_to(error):
            return None
        raise
    if not model.model_id:
        raise ConnectionError("a model was logged and is not there")
    if str(model.status) != "READY":
        step("ship")
        model = to.client.finalize_logged_model(model.model_id, "READY")
    # of a run that went on since
    if late := {key: tag for key, tag in model_tags(run.data.tags).items() if model.tags.get(key, "") != tag}:
        step("ship")
        to.client.set_logged_model_tags(model.model_id, late)
    from mlflow.entities import LoggedModelOutput

    # the store refuses to name it twice
    if model.model_id not in {each.model_id for each in run.outputs.model_outputs}:
        best = int(run.data.metrics.get(BEST_STEP, 0))
        step("ship")
        to.client.log_outputs(id, [LoggedModelOutput(model.model_id, best)])
    if linked := list(_linked(run, model.model_id, points)):
        step("ship")
        to.client.log_batch(id, metrics=linked)
    return model


def model_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """By the tags of a run those of its model: what it is, and what it was made of."""
    kept = {tag: tags[tag] for tag in KEPT_TAGS if tag in tags}
    return kept | {tag: tags.get(f"stage.{stage}.digest", "") for stage, tag in STAGE_TAGS.items()}


def _created(to: Destination, run: "Run") -> "LoggedModel":
    given, tags = run.data.params, run.data.tags
    names = (*(f"model.{name}" for name in PARAMS), *TOKENIZER_PARAMS)
    params = {name: given[name] for name in names if name in given}
    if COUNT in run.data.metrics:
        params["parameters"] = str(int(run.data.metrics[COUNT]))
    # MLflow refuses these in the name of a model; a rate of 0.02 is to stay one
    name = re.sub(r"[/:%\"']", "-", run.info.run_name.replace(".", "·")) or "model"
    step("ship")
    made = to.client.create_logged_model(
        run.info.experiment_id, name, run.info.run_id, model_tags(tags) | {EXTERNAL: "true"}, params
    )
    first = model_of(to, run) or made
    if first.model_id != made.model_id:
        # another process was at it at the same time; who may not delete leaves a twin without numbers
        with contextlib.suppress(Exception):
            to.client.delete_logged_model(made.model_id)
    return first


def _linked(run: "Run", model: str, points: "Iterable[Point]") -> "Iterator[Metric]":
    """The numbers of a run for its model, a score with the split that it was measured on."""
    from mlflow.entities import Metric

    split = run.data.params.get("evaluate.split", "validation")
    data = {each.dataset.name.rsplit("/", 1)[-1]: each.dataset for each in run.inputs.dataset_inputs}
    for key, value, at, at_step in points:
        stage = key.split("/")[0]
        if stage not in ("train", "evaluate") or at_step:
            continue
        dataset = data.get(split if stage == "evaluate" else JUDGED_ON.get(key, ""))
        about = {"dataset_name": dataset.name, "dataset_digest": dataset.digest} if dataset else {}
        yield Metric(key, value, at, at_step, model_id=model, run_id=run.info.run_id, **about)
