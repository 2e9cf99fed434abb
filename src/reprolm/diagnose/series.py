"""The numbers of every single step; the curve has only those of steps that were looked at."""

from array import array
from typing import ClassVar

import torch
from torch import Tensor


class Series:
    """A row a step: `loss` (nats), `gradient_norm` before clipping, `learning_rate`, `seconds` of the step.

    It is kept in checkpoints, so that a resumed run has the rows that came before. On a GPU, which works
    ahead of its orders, only sums of `seconds` over many steps mean anything.
    """

    KINDS: ClassVar[dict[str, str]] = {
        "loss": "f", "gradient_norm": "f", "learning_rate": "d", "seconds": "f",
    }  # fmt: skip
    DETERMINISTIC = ("loss", "gradient_norm", "learning_rate")

    def __init__(self) -> None:
        self.columns: dict[str, array[float]] = {name: array(kind) for name, kind in self.KINDS.items()}

    def __len__(self) -> int:
        return len(self.columns["loss"])

    def append(self, **numbers: float) -> None:
        """Adds some numbers of the next step; the others come when they are known."""
        for name, value in numbers.items():
            self.columns[name].append(value)

    def tensors(self) -> dict[str, Tensor]:
        """The columns, as a checkpoint holds them."""
        types = {"f": torch.float32, "d": torch.float64}
        return {
            name: torch.tensor(column, dtype=types[column.typecode]) for name, column in self.columns.items()
        }

    def put(self, tensors: dict[str, Tensor]) -> None:
        """Restores what `tensors` gave."""
        self.columns = {name: array(kind, tensors[name].tolist()) for name, kind in self.KINDS.items()}

    def csv(self) -> str:
        """The columns that are the same in each run, by step, every bit of the numbers kept."""
        rows = zip(*(self.columns[name] for name in self.DETERMINISTIC), strict=True)
        lines = [f"{step},{','.join(map(repr, row))}\n" for step, row in enumerate(rows, 1)]
        return "".join([f"step,{','.join(self.DETERMINISTIC)}\n", *lines])


def clipping(norms: list[float], limit: float | None, warmup_steps: int) -> dict[str, float]:
    """How often the gradient was clipped: G > c, with c = 1 where nothing is clipped.

    `severity` is the mean of 1 − c / (G + 1e-6) over the steps that were. Steps without a finite norm were
    left out of training, and are left out here.
    """
    threshold = limit if limit is not None else 1.0
    finite = [(step, norm) for step, norm in enumerate(norms, 1) if norm < float("inf")]
    clipped = [norm for _, norm in finite if norm > threshold]
    late = [norm > threshold for step, norm in finite if step > warmup_steps]
    return {
        "frequency": len(clipped) / max(1, len(finite)),
        "frequency_after_warmup": sum(late) / max(1, len(late)),
        "severity": sum(1 - threshold / (norm + 1e-6) for norm in clipped) / max(1, len(clipped)),
    }
