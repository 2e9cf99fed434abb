"""What may happen to a run, and what is kept of it."""

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "NONFINITE",
    "SPIKE",
    "DIVERGED",
    "STUCK_UNIGRAM",
    "PLATEAU",
    "GRAD_EXPLODE",
    "EXPERT_COLLAPSE",
    "ENTROPY_COLLAPSE",
]
MEANING: dict[Kind, tuple[str, str]] = {
    "NONFINITE": ("the loss or its gradient is not finite", ""),
    "SPIKE": ("the loss jumped", "in times of what counts as a spike"),
    "DIVERGED": ("the loss rose and stayed there", "in nats above its lowest average"),
    "STUCK_UNIGRAM": ("the model is no better than counting tokens", "in shares of that entropy"),
    "PLATEAU": ("a tenth of the run gained hardly anything", "in shares of the gain so far"),
    "GRAD_EXPLODE": ("the gradient was far larger than usual", "in times of its median"),
    "EXPERT_COLLAPSE": ("an expert gets hardly any token", "its load in equal shares"),
    "ENTROPY_COLLAPSE": ("attention looks at single tokens", "the share of heads that do"),
}
"""What each kind says, and the unit of its magnitude."""
FATAL: tuple[Kind, ...] = ("NONFINITE", "DIVERGED")
"""Events that end a run."""


def meaning(kind: Kind) -> str:
    """What a kind says, and the unit of its magnitude."""
    return ", ".join(filter(None, MEANING[kind]))


@dataclass
class Event:
    """One event, of the steps `step` … `last_step` (counted from 1, as the curve is).

    `magnitude` is the largest so far, in the unit that `MEANING` names, None where it is not finite;
    `loss`, `average` (m of `diagnose.detect`), `gradient_norm` and `learning_rate` are those of `step`.
    Batch `step` − 1 led to `step`.
    """

    step: int
    type: Kind
    magnitude: float | None
    loss: float | None
    average: float | None
    gradient_norm: float | None
    learning_rate: float
    last_step: int
    recovered_step: int | None = None
    """Of a spike: when the average was back."""

    def record(self) -> dict[str, Any]:
        """A line of `events.jsonl`."""
        fields = dict(vars(self))
        if self.type != "SPIKE":
            del fields["recovered_step"]
        return fields | {"batches": [self.step - 1, self.last_step - 1]}
