"""Checkpoints of finished runs: kept until DVC has recorded the model, for a kill may come before that."""

from contextlib import suppress
from pathlib import Path

from reprolm.errors import ReprolmError
from reprolm.store import locked, prune, publish_json, read_json

MARK = "finished.json"


def mark(directory: Path, model: str) -> None:
    """Notes in a run's directory of checkpoints that the model with this digest was published."""
    publish_json(directory / MARK, {"model": model})


def remove(checkpoints: Path, *, model: str) -> None:
    """Removes the directories of runs that made a model which is recorded now; one that is in use stays."""
    for path in checkpoints.glob(f"*/{MARK}"):
        with suppress(ReprolmError), locked(path.parent):
            if read_json(path)["model"] == model:
                prune(path.parent)
