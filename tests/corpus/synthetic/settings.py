"""Small processes, and what is known of them by counting every way to go on."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from reprolm.config import section, words
from reprolm.corpus.synthetic.config import SyntheticConfig
from reprolm.corpus.synthetic.options import Options
from reprolm.corpus.synthetic.process import Walk
from reprolm.corpus.synthetic.source import Synthetic
from tests.settings import raw

KINDS = words(SyntheticConfig.model_fields["kind"].annotation)


def config(kind: str, **changes: Any) -> SyntheticConfig:
    """The section `data.synthetic`, of short documents."""
    values = raw("data")["synthetic"] | {"kind": kind, "documents": 300, "length": 60}
    for name, value in changes.items():
        values[name] = values[name] | value if isinstance(value, dict) else value
    return section({"data.synthetic": values}, "data.synthetic", SyntheticConfig)


def documents(settings: SyntheticConfig) -> list[bytes]:
    return [bytes(document) for document in Synthetic(settings)]


class Branch(Exception):  # noqa: N818 - it is no error
    """A walk has come to a choice that was not made yet."""

    def __init__(self, options: Options) -> None:
        self.options = options


class Script:
    """Makes the choices of a list, then asks."""

    def __init__(self, choices: tuple[int, ...]) -> None:
        self.left, self.text, self.p = list(choices), b"", 1.0

    def choose(self, options: Options) -> int:
        if not self.left:
            raise Branch(options)
        chosen = self.left.pop(0)
        self.text += options.texts[chosen]
        self.p *= float(options.p[chosen])
        return chosen


def endings(walk: Walk, prefix: bytes = b"", size: float = math.inf) -> Iterator[tuple[bytes, float]]:
    """Everything that begins so and that a walk may write, cut after `size` bytes, each with its probability.

    Only choices are followed and multiplied: nothing of how a process reads is used.
    """
    waiting: list[tuple[int, ...]] = [()]
    while waiting:
        choices = waiting.pop()
        script = Script(choices)
        try:
            walk.walk(script.choose)
        except Branch as branch:
            if len(script.text) < size:
                texts = [script.text + text for text in branch.options.texts]
                fits = [text.startswith(prefix) or prefix.startswith(text) for text in texts]
                waiting += [(*choices, i) for i, fit in enumerate(fits) if fit]
                continue
        yield script.text, script.p


def next_bytes(walk: Walk, prefix: bytes) -> dict[int, float]:
    """p of each byte after a prefix, by summing over all ways to go on."""
    mass: Counter[int] = Counter()
    for text, p in endings(walk, prefix, len(prefix) + 1):
        mass[text[len(prefix)]] += p
    total = sum(mass.values())
    return {byte: p / total for byte, p in mass.items()}
