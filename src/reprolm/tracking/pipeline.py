"""The stages that a run is made of: their order, what each makes, where its numbers lie."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

CURVE = Path("plots/train.csv")
PIPELINE = Path("dvc.yaml")
LOCK = Path("dvc.lock")
CLOSING = "report"


@dataclass(frozen=True)
class PipelineStage:
    """A stage: `output` is the directory it publishes, `after` the stages that ended before it starts."""

    name: str
    output: Path | None
    after: tuple[str, ...]

    @property
    def metrics(self) -> Path:
        """Its deterministic numbers, tracked by git."""
        return Path("metrics") / f"{self.name}.json"


# `check` makes nothing and is not here: parameters that it refuses leave no run behind
_BEFORE_MODEL = ("download", "train_tokenizer", "encode")
_BEFORE_LOOKS = (*_BEFORE_MODEL, "train")
STAGES = {
    stage.name: stage
    for stage in (
        PipelineStage("download", Path("data/corpus"), ()),
        PipelineStage("train_tokenizer", Path("data/tokenizer"), _BEFORE_MODEL[:1]),
        PipelineStage("encode", Path("data/tokens"), _BEFORE_MODEL[:2]),
        PipelineStage("train", Path("models/model"), _BEFORE_MODEL),
        PipelineStage("evaluate", Path("reports/evaluate"), _BEFORE_LOOKS),
        PipelineStage("sample", Path("reports/samples"), _BEFORE_LOOKS),
        PipelineStage(CLOSING, None, (*_BEFORE_LOOKS, "evaluate", "sample")),
    )
}


def stages_of(content: bytes) -> dict[str, Any]:
    """The entries of a dvc.yaml or a dvc.lock; none where it cannot be read.

    >>> stages_of(b"stages: {train: {cmd: python}}")
    {'train': {'cmd': 'python'}}
    """
    try:
        read = YAML(typ="safe", pure=True).load(content)
    except (YAMLError, UnicodeDecodeError):
        return {}
    stages = read.get("stages") if isinstance(read, dict) else None
    return stages if isinstance(stages, dict) else {}
