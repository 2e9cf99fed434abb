"""The learning rate at each step as a share of its peak: a pure function, nothing to restore on resuming."""

import math


def share(kind: str, step: int, *, warmup_steps: int, steps: int, final: float) -> float:
    """Rises from 1 / `warmup_steps` to 1, then falls to `final` at the last step, 0-based.

    `cosine` falls along half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983), `linear` in a straight
    line (Bergsma et al. 2025, arXiv:2502.15938), `constant` not at all.

    >>> [round(share("linear", s, warmup_steps=2, steps=5, final=0.0), 2) for s in range(5)]
    [0.5, 1.0, 0.67, 0.33, 0.0]
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    done = (step + 1 - warmup_steps) / max(1, steps - warmup_steps)
    fall = {"constant": 0.0, "linear": done, "cosine": (1 - math.cos(math.pi * done)) / 2}[kind]
    return 1 - (1 - final) * fall
