"""The stages that a run is made of: their order, what each makes, where its numbers lie."""

from dataclasses import dataclass
from pathlib import Path

CURVE = Path("plots/train.csv")
CLOSING = "report"


@dataclass(frozen=True)
class Step:
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
STEPS = {
    step.name: step
    for step in (
        Step("download", Path("data/corpus"), ()),
        Step("train_tokenizer", Path("data/tokenizer"), _BEFORE_MODEL[:1]),
        Step("encode", Path("data/tokens"), _BEFORE_MODEL[:2]),
        Step("train", Path("models/model"), _BEFORE_MODEL),
        Step("evaluate", Path("reports/evaluate"), _BEFORE_LOOKS),
        Step("sample", Path("reports/samples"), _BEFORE_LOOKS),
        Step(CLOSING, None, (*_BEFORE_LOOKS, "evaluate", "sample")),
    )
}
