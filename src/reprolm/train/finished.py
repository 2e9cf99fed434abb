"""Checkpoints of finished runs: kept until DVC has recorded the model, for a kill may come before that."""

from pathlib import Path

from reprolm.store import prune, publish_json, read_json

MARK = "finished.json"


def mark(directory: Path, model: str) -> None:
    """Notes in a run's directory of checkpoints that the model with this digest was published."""
    publish_json(directory / MARK, {"model": model})


def remove(checkpoints: Path, *, model: str | None = None, but: Path | None = None) -> None:
    """Removes finished runs' directories: all `but` one, or those that made a model which is recorded now."""
    for path in checkpoints.glob(f"*/{MARK}"):
        if path.parent != but and (model is None or read_json(path)["model"] == model):
            prune(path.parent)
