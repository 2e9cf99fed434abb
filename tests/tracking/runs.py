"""What a store holds of a run, in a form that can be compared."""

from pathlib import Path
from typing import Any

from reprolm.tracking.destination import Destination, connect


def runs(to: Destination) -> list[Any]:
    """All runs, newest first."""
    return list(to.client.search_runs([to.experiment]))


def history(to: Destination, run: Any, key: str) -> list[tuple[int, float, int]]:
    """The points of a series: step, value, time."""
    points = to.client.get_metric_history(run.info.run_id, key)
    return sorted((point.step, point.value, point.timestamp) for point in points)


def files(to: Destination, run: Any, folder: str = "") -> list[str]:
    """The paths of a run's files."""
    found: list[str] = []
    for entry in to.client.list_artifacts(run.info.run_id, folder or None):
        found += files(to, run, entry.path) if entry.is_dir else [entry.path]
    return sorted(found)


def models(to: Destination, run: Any) -> list[dict[str, Any]]:
    """What stands of a run's models, apart from their ids and names; each is named once by the run."""
    named = [each.model_id for each in to.client.get_run(run.info.run_id).outputs.model_outputs]
    found = to.client.search_logged_models([to.experiment], f"source_run_id = '{run.info.run_id}'")
    assert sorted(named) == sorted(each.model_id for each in found)
    return [
        {
            "status": str(model.status),
            "params": model.params,
            "tags": model.tags,
            "numbers": sorted((each.key, each.value, each.dataset_name) for each in model.metrics or []),
        }
        for model in found
    ]


def picture(root: Path) -> list[dict[str, Any]]:
    """Everything that the runs of a repository's store hold, apart from their ids."""
    to = connect(root)
    return [
        {
            "status": run.info.status,
            "times": (run.info.start_time, run.info.end_time),
            "params": run.data.params,
            "tags": {key: value for key, value in run.data.tags.items() if key != "mlflow.runName"},
            "series": {key: history(to, run, key) for key in run.data.metrics},
            "data": sorted((entry.dataset.name, entry.dataset.digest) for entry in run.inputs.dataset_inputs),
            "files": files(to, run),
            "models": models(to, run),
        }
        for run in runs(to)
    ]
