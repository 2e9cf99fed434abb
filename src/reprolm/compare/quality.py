"""The numbers that are compared: their names, which end is better, and where they may be compared at all."""

from collections.abc import Sequence
from dataclasses import dataclass

from reprolm.compare.runs import Compared


@dataclass(frozen=True)
class Metric:
    """A number of a run; `lower` is better, or none is; `per_token`: only among runs of the same tokens.

    A number that is not `main` stands in the table of every run alone.
    """

    key: str
    label: str
    lower: bool = False
    per_token: bool = False
    digits: int = 4
    main: bool = True


METRICS = (
    Metric("evaluate/bits_per_byte", "bits per byte", lower=True),
    Metric("evaluate/sliding/bits_per_byte", "bits per byte, sliding", lower=True, main=False),
    Metric("evaluate/excess/nats", "excess over the floor, nats a token", lower=True, per_token=True),
    Metric("train/best_validation_loss", "best validation loss, nats a token", lower=True, per_token=True),
    Metric("evaluate/perplexity", "perplexity a token", lower=True, per_token=True),
    Metric("train/final_train_loss", "final training loss, nats a token", main=False),
    Metric("train/best_step", "best step", main=False),
    Metric("train/parameters/total", "parameters"),
    Metric("train/tokens", "tokens trained on"),
    Metric("train/flops_per_token", "FLOP a token", main=False),
    Metric("train_tokenizer/bytes_per_token", "bytes a token"),
    Metric("sample/distinct_1", "different words in samples, share", digits=3, main=False),
    Metric("sample/distinct_2", "different pairs of words, share", digits=3, main=False),
    Metric("sample/rep_4", "repeated runs of four words, share", digits=3, main=False),
    Metric("train/events", "events in training", main=False),
    Metric("train/peak_bytes", "most memory of training, bytes", main=False),
    Metric("train/seconds", "seconds of the stage train", digits=3),
)
"""Words in samples have no better end (less repetition than people is no gain), nor has time on a shared
machine; they are shown, not judged."""


def same(runs: Sequence[Compared], tag: str, param: str) -> bool:
    """Whether runs share a tag, or where one lacks it, the parameters that begin so."""
    if all(tag in run.tags for run in runs):
        return len({run.tags[tag] for run in runs}) == 1
    return len({tuple(sorted(i for i in run.params.items() if i[0].startswith(param))) for run in runs}) == 1


def incomparable(runs: Sequence[Compared]) -> dict[str, str]:
    """Metrics that differ for other reasons than the model, each with the reason."""
    reasons: dict[str, str] = {}
    same_text = same(runs, "stage.download.digest", "data.")
    same_split = len({run.params.get("evaluate.split") for run in runs}) == 1
    same_tokens = same(runs, "stage.encode.digest", "tokenizer.") and same_text
    same_stride = len({run.params.get("evaluate.stride") for run in runs}) == 1
    for metric in METRICS:
        if not metric.lower:
            continue
        if not same_text:
            reasons[metric.key] = "the runs are judged on different texts"
        elif not same_split and metric.key.startswith("evaluate/"):
            reasons[metric.key] = "evaluate.split differs"
        elif metric.per_token and not same_tokens:
            reasons[metric.key] = "tokens differ: only bits per byte compares"
        elif "sliding" in metric.key and not same_stride:
            reasons[metric.key] = "evaluate.stride differs"
    return reasons
