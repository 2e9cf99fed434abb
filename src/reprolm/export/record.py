"""The numbers of an export, in MLflow: on the run that trained the model."""

from collections.abc import Mapping
from pathlib import Path

from reprolm.tracking.computed import computing_run
from reprolm.tracking.destination import connect, uri
from reprolm.tracking.identity import redacted
from reprolm.tracking.shipper import wanted


def record(root: Path, model_digest: str, numbers: Mapping[str, float]) -> str:
    """Logs numbers on the newest run that made the model; says in one line what became of them.

    An export is proved whether or not MLflow takes its numbers: no fault of MLflow's ends it.
    """
    if not wanted():
        return "not recorded in MLflow: it is off, or not installed"
    if uri(root).startswith("sqlite:///") and not Path(uri(root).removeprefix("sqlite:///")).is_file():
        return f"not recorded in MLflow: there is no store at {uri(root)}"
    try:
        to = connect(root)
        run = computing_run(to, "train", model_digest)
        if run is None:
            return "not recorded in MLflow: none of its runs made this model"
        for name, value in numbers.items():
            to.client.log_metric(run.info.run_id, name, value)
    except Exception as error:
        return f"not recorded in MLflow: {redacted(str(error)).splitlines()[0]}"
    return f"recorded in MLflow: run {run.info.run_name}"
