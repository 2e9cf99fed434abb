"""Where two trained models part, by their certificates and the numbers of their steps."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GROUPS = ("params", "data", "code", "versions", "device", "flags")
DIGESTS = ("batch", "weights")
COLUMNS = ("loss", "gradient_norm")


@dataclass(frozen=True)
class Kept:
    """What a run keeps of itself: `certificate.json`, and loss and gradient norm of each step.

    They are texts, as `repr` gives them: to the bit, and one that is not a number is the same as another.
    """

    certificate: Mapping[str, Any]
    losses: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Verdict:
    """Whether the bits of two runs are the same, and the lines that say what is not."""

    same: bool
    lines: tuple[str, ...]


def compare(one: Kept, other: Kept) -> Verdict:
    """Two runs are the same where their weights, batches and losses are, whatever else differs."""
    reasons = [line for group in GROUPS for line in _unequal(group, one, other)]
    found = [_digests(kind, one, other) for kind in DIGESTS]
    found.insert(1, _losses(one.losses, other.losses))
    lines = [line for _, line in found] + (reasons or ["everything that they were made from is the same"])
    return Verdict(all(same for same, _ in found), tuple(lines))


def _unequal(group: str, one: Kept, other: Kept) -> Iterator[str]:
    """The entries of a group that differ."""
    a, b = (kept.certificate.get(group, {}) for kept in (one, other))
    for name in dict.fromkeys([*a, *b]):
        if a.get(name) != b.get(name):
            yield f"{group} differ: {name} {_short(a.get(name))} | {_short(b.get(name))}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:16] + "…"


def _digests(kind: str, one: Kept, other: Kept) -> tuple[bool, str]:
    """Batches or weights at the steps at which both have them; without a common end they cannot be equal."""
    a, b = (kept.certificate["steps"] for kept in (one, other))
    steps = sorted({int(step) for step in a} & {int(step) for step in b})
    words = {"batch": "batches", "weights": "weights"}[kind]
    apart = [step for step in steps if a[str(step)][kind] != b[str(step)][kind]]
    if apart:
        same = steps[: steps.index(apart[0])]
        before = f"the same at {_steps(same)}, " if same else ""
        return False, f"{words}: {before}differ at step {apart[0]:,}"
    return set(a) == set(b), f"{words}: the same at {_steps(steps)}"


def _steps(steps: list[int]) -> str:
    return ("step " if len(steps) == 1 else "steps ") + ", ".join(f"{step:,}" for step in steps)


def _losses(one: Sequence[tuple[str, ...]], other: Sequence[tuple[str, ...]]) -> tuple[bool, str]:
    for step, (a, b) in enumerate(itertools.zip_longest(one, other), 1):
        if a is None or b is None:
            return False, f"losses: the same up to step {step - 1:,}, where one run ends"
        if a != b:
            words = " | ".join(f"loss {loss}, gradient norm {norm}" for loss, norm in (a, b))
            return False, f"losses: differ from step {step:,} on ({words})"
    return True, f"losses: the same in {len(one):,} steps"
