"""Perplexity and bits per byte of a model on a split, beside the reference lines."""

import csv
import io
import math
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reprolm.data.shards import Tokens
from reprolm.data.windows import Laid
from reprolm.errors import Exit, refuse
from reprolm.evaluate.config import EvaluateConfig
from reprolm.evaluate.excess import Excess, Oracle
from reprolm.evaluate.loss import Scored, scored
from reprolm.evaluate.references import Bigram, compressed_bits_per_byte, uniform_nats
from reprolm.model.transformer import Transformer
from reprolm.progress import Progress

LARGEST_EXPONENT = math.log(sys.float_info.max)


@dataclass
class Total:
    """Sums over scored targets; a target that stands for no bytes of text is a special token."""

    token_bytes: NDArray[np.int64]
    nats: float = 0.0
    text_nats: float = 0.0
    targets: int = 0
    text_bytes: int = 0

    def add(self, targets: NDArray[np.int64], nats: NDArray[np.float64]) -> None:
        """Adds targets and their −ln p."""
        size = self.token_bytes[targets]
        self.nats += float(nats.sum())
        self.text_nats += float(nats[size > 0].sum())
        self.targets += len(targets)
        self.text_bytes += int(size.sum())

    @property
    def bits_per_byte(self) -> float:
        """Bits for the text over its UTF-8 bytes; special tokens count neither."""
        return self.text_nats / (math.log(2) * self.text_bytes)

    def summary(self) -> dict[str, float | None]:
        """Loss in nats a token, perplexity, bits per byte without and with the cost of ending documents.

        A perplexity that no float can hold is None.
        """
        loss = self.nats / self.targets
        return {
            "loss": loss,
            "perplexity": math.exp(loss) if loss < LARGEST_EXPONENT else None,
            "bits_per_byte": self.bits_per_byte,
            "bits_per_byte_all": self.nats / (math.log(2) * self.text_bytes),
        }


@dataclass
class ByPosition:
    """Mean loss by the tokens the model was given, in bins that double; windows are the sampling unit."""

    sums: dict[int, list[float]] = field(default_factory=dict)

    def add(self, part: Scored) -> None:
        """Adds targets to the bin that starts at the power of two below what they were given."""
        bins = 2 ** np.floor(np.log2(part.seen)).astype(int)
        for start in np.unique(bins):
            window, nats = part.window[bins == start], part.nats[bins == start]
            count = np.bincount(window)
            means = (np.bincount(window, weights=nats) / count.clip(min=1))[count > 0]
            sums = self.sums.setdefault(int(start), [0.0, 0.0, 0.0])
            for i, value in enumerate((len(means), means.sum(), (means**2).sum())):
                sums[i] += float(value)

    def csv(self) -> str:
        """Columns position (first of the bin), loss, standard_error."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["position", "loss", "standard_error"])
        for start, (count, total, squares) in sorted(self.sums.items()):
            mean = total / count
            variance = max(squares / count - mean**2, 0.0)
            writer.writerow([start, mean, math.sqrt(variance / count)])
        return text.getvalue()


@dataclass(frozen=True)
class Judged:
    """The text of a split, how windows lie in it, and who knows the best possible prediction of it."""

    content: bytes
    laid: Laid = "packed"
    oracle: Oracle | None = None


def judge(
    model: Transformer, tokens: Tokens, config: EvaluateConfig, *, stride: int, laid: Laid = "packed",
    excess: Excess | None = None,
) -> tuple[Total, ByPosition]:  # fmt: skip
    """Scores the model on a text, in windows as long as its context that start `stride` apart.

    Raises:
        ReprolmError: the loss is not finite (exit 72).
    """
    window = model.config.context_length
    total, by_position = Total(tokens.token_bytes), ByPosition()
    batch = config.batch_size
    parts = scored(model, tokens, window=window, stride=stride, batch_size=batch, laid=laid)
    with Progress(f"evaluate (stride {stride})", len(tokens) - 1, "tokens") as progress:
        for part in parts:
            total.add(part.targets, part.nats)
            by_position.add(part)
            if excess is not None:
                excess.add(part)
            progress.advance(len(part.targets))
    if not math.isfinite(total.nats):
        what, want = "gives text a loss that is not finite", "a model that was trained at a lower rate"
        raise refuse("models/model", what, got=total.nats, want=want, exit=Exit.DIVERGED)
    return total, by_position


def references(training: Tokens, tokens: Tokens, text: bytes) -> dict[str, float]:
    """Bits per byte of uniform, unigram and bigram prediction of the same targets, and of gzip and xz."""
    bigram = Bigram(training)
    totals = {name: Total(tokens.token_bytes) for name in ("uniform", "unigram", "bigram")}
    for start in range(0, len(tokens) - 1, 1 << 20):
        part = tokens[start : start + (1 << 20) + 1]
        before, targets = part[:-1], part[1:]
        totals["uniform"].add(targets, uniform_nats(tokens.vocab_size, targets))
        totals["unigram"].add(targets, bigram.unigram_nats(targets))
        totals["bigram"].add(targets, bigram.nats(before, targets))
    return {name: total.bits_per_byte for name, total in totals.items()} | compressed_bits_per_byte(text)


def evaluate(
    model: Transformer, training: Tokens, tokens: Tokens, text: Judged, config: EvaluateConfig
) -> tuple[dict[str, Any], ByPosition]:
    """The numbers of `metrics/evaluate.json`: disjoint windows, as in training, and `stride` apart.

    Raises:
        ReprolmError: the model is better than the process that wrote the text (exit 76).
    """
    window, excess = model.config.context_length, None
    if text.oracle is not None:
        excess = Excess(tokens.token_bytes[tokens[:]], text.oracle)
    disjoint, by_position = judge(model, tokens, config, stride=window, laid=text.laid, excess=excess)
    metrics: dict[str, Any] = {"split": config.split, **disjoint.summary()}
    metrics |= {"targets": disjoint.targets, "text_bytes": disjoint.text_bytes, "window": window}
    if config.stride < window and text.laid != "padded":
        sliding, _ = judge(model, tokens, config, stride=config.stride, laid=text.laid)
        metrics["sliding"] = {"stride": config.stride, **sliding.summary()}
    metrics["references"] = references(training, tokens, text.content)
    if excess is not None:
        metrics["excess"] = excess.summary()
        metrics["references"]["floor"] = metrics["excess"]["floor_bits_per_byte"]
    return metrics, by_position
