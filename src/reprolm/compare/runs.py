"""What is compared of each run: parameters, numbers, curves, samples."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from reprolm.report.inputs import Floats
from reprolm.tracking.destination import Destination, gone

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

CURVES = ("validation/loss", "train/loss")
SAMPLES = "samples.json"
NAMED = ("prompt", "draw", "text")
AXES = ("steps", "tokens", "FLOP", "seconds")
OF_TRAINING = ("device", "machine.", "version.")


@dataclass(frozen=True)
class Curve:
    """A quantity against the step; `seconds` since the first measurement, empty where no clock was kept."""

    steps: Floats
    values: Floats
    seconds: Floats


@dataclass(frozen=True)
class Compared:
    """A run; `params` are those that act, as MLflow keeps them.

    The tags of versions and machine are those of the training, wherever it was computed.
    """

    id: str
    name: str
    status: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    curves: Mapping[str, Curve] = field(default_factory=dict)
    samples: Sequence[Mapping[str, Any]] = ()
    started: int = 0
    """Milliseconds since 1970."""

    @property
    def step_tokens(self) -> float:
        """Tokens a step."""
        sizes = (self.params.get("train.batch_size"), self.params.get("model.context_length"))
        return float(np.prod([float(size) if size else np.nan for size in sizes]))

    def along(self, name: str, axis: str) -> tuple[Floats, Floats]:
        """A curve against steps, tokens, operations or seconds; empty where it is not known."""
        curve = self.curves.get(name)
        if curve is None:
            return np.empty(0), np.empty(0)
        if axis == "seconds":
            return curve.seconds, curve.values[: len(curve.seconds)]
        flops = self.metrics.get("train/flops_per_token", np.nan)
        each = {"steps": 1.0, "tokens": self.step_tokens, "FLOP": self.step_tokens * flops}[axis]
        known = np.isfinite(each)
        return (curve.steps * each, curve.values) if known else (np.empty(0), np.empty(0))


def gathered(to: Destination, runs: "Sequence[Run]") -> list[Compared]:
    """Everything that is compared of some runs.

    Raises:
        MlflowException: the store does not answer.
    """
    return [_compared(to.client, run) for run in runs]


def _compared(client: "MlflowClient", run: "Run") -> Compared:
    tags, info = dict(run.data.tags), run.info
    # what came from DVC's cache was measured when the run that computed it ran
    source = tags.get("stage.train.computed_by") if tags.get("stage.train") == "cached" else info.run_id
    if source and source != info.run_id:
        tags |= _of_training(client, source)
    curves = {}
    for key in CURVES:
        curve = _curve(client, source or info.run_id, key, clocked=source is not None, tags=tags)
        if curve is not None:
            curves[key] = curve
    samples = _samples(client, info.run_id)
    name = info.run_name or info.run_id[:8]
    return Compared(
        info.run_id, name, info.status, run.data.params, run.data.metrics, tags, curves, samples,
        info.start_time,
    )  # fmt: skip


def _of_training(client: "MlflowClient", run: str) -> dict[str, str]:
    """The tags of versions and machine of the run that trained; none where it is no more."""
    from mlflow.exceptions import MlflowException

    try:
        tags = client.get_run(run).data.tags
    except MlflowException as error:
        if not gone(error):
            raise
        return {}
    return {name: value for name, value in tags.items() if name.startswith(OF_TRAINING)}


def _curve(
    client: "MlflowClient", run: str, key: str, *, clocked: bool, tags: Mapping[str, str]
) -> Curve | None:
    from mlflow.exceptions import MlflowException

    try:
        history = sorted(client.get_metric_history(run, key), key=lambda point: (point.step, point.timestamp))
    except MlflowException as error:
        if not gone(error):
            raise
        return None
    points = {point.step: point for point in history if np.isfinite(point.value)}
    if not points:
        return None
    steps = np.array(list(points), dtype=np.float64)
    values = np.array([point.value for point in points.values()])
    times = np.array([point.timestamp for point in points.values()], dtype=np.float64) / 1000
    kept = clocked and len(times) > 1 and times[-1] > times[0]
    seconds = _without_pause(steps, times - times[0], tags.get("resumed_from_step")) if kept else np.empty(0)
    return Curve(steps, values, seconds)


def _without_pause(steps: Floats, seconds: Floats, resumed: str | None) -> Floats:
    """The clock without the time between a kill and the going on."""
    at = int(np.searchsorted(steps, float(resumed or 0), side="right"))
    if not resumed or not 1 < at < len(steps):
        return seconds
    pace = (seconds[at - 1] - seconds[0]) / (steps[at - 1] - steps[0])
    pause = seconds[at] - seconds[at - 1] - pace * (steps[at] - steps[at - 1])
    return np.concatenate([seconds[:at], seconds[at:] - max(pause, 0.0)])


def _samples(client: "MlflowClient", run: str) -> list[dict[str, Any]]:
    """The rows of the table of samples, none where there is none."""
    from mlflow.exceptions import MlflowException

    if not any(file.path == SAMPLES for file in client.list_artifacts(run)):
        return []
    try:
        with TemporaryDirectory() as place:
            table = json.loads(
                Path(client.download_artifacts(run, SAMPLES, place)).read_text(encoding="utf-8")
            )
    except (OSError, ValueError, MlflowException):
        return []
    rows = [dict(zip(table["columns"], row, strict=False)) for row in table["data"]]
    return [row for row in rows if all(name in row for name in NAMED)]
