"""Options of `data.source: synthetic`."""

from typing import Annotated, Literal

from pydantic import Field

from reprolm.config import Config, rule
from reprolm.errors import Problem

Symbols = Annotated[int, Field(ge=2, le=62)]
Probability = Annotated[float, Field(gt=0, lt=1)]
MOST_CONTEXTS = 4096
FIXED_SENTENCES = 5
"""Of every story: who, what, the trouble, the help, the end."""


class MarkovConfig(Config):
    """A chain whose next symbol depends on the last `order`; sharper tables are easier to predict."""

    order: int = Field(ge=1)
    n_symbols: Symbols
    sharpness: float = Field(gt=0, le=8)

    @rule
    def _contexts(self) -> Problem | None:
        contexts = self.n_symbols**self.order
        if contexts <= MOST_CONTEXTS:
            return None
        want = f"at most {int(MOST_CONTEXTS ** (1 / self.order) + 1e-9)} with this order"
        what = f"and data.synthetic.markov.order = {self.order} make {contexts} contexts"
        return Problem("n_symbols", what, self.n_symbols, want)


class HiddenMarkovConfig(Config):
    """A hidden chain that writes symbols."""

    n_states: int = Field(ge=1, le=64)
    n_symbols: Symbols
    sharpness: float = Field(gt=0, le=8)


class DelayConfig(Config):
    """Each symbol repeats the one `distance` before it, but for `noise`."""

    distance: int = Field(ge=1)
    n_symbols: Symbols
    noise: Probability


class CopyingConfig(Config):
    """A word of `length` symbols, again after `gap` dots and a bar."""

    length: int = Field(ge=1)
    gap: int = Field(ge=0)
    n_symbols: Symbols


class RecallConfig(Config):
    """Pairs of keys and values, then queries."""

    n_pairs: int = Field(ge=1, le=26)
    n_queries: int = Field(ge=1)
    n_keys: int = Field(ge=1, le=26)
    n_values: int = Field(ge=1, le=26)

    @rule
    def _enough_keys(self) -> Problem | None:
        if self.n_pairs <= self.n_keys:
            return None
        return Problem("n_pairs", f"is above data.synthetic.recall.n_keys = {self.n_keys}", self.n_pairs,
                       f"at most {self.n_keys}")  # fmt: skip


class DyckConfig(Config):
    """Matched brackets."""

    types: int = Field(ge=1, le=4)
    depth: int = Field(ge=2)
    opening: Probability
    """The probability that a bracket opens where it may open or close."""


class GrammarConfig(Config):
    """Short stories."""

    sentences: int = Field(ge=FIXED_SENTENCES)


class SyntheticConfig(Config):
    """Which process, how many documents, and how long one is (of the chains and brackets)."""

    kind: Literal["markov", "hidden_markov", "delay", "copying", "recall", "dyck", "grammar"]
    seed: int = Field(ge=0, lt=2**63)
    documents: int = Field(ge=1)
    length: int = Field(ge=1)
    markov: MarkovConfig
    hidden_markov: HiddenMarkovConfig
    delay: DelayConfig
    copying: CopyingConfig
    recall: RecallConfig
    dyck: DyckConfig
    grammar: GrammarConfig

    @rule
    def _documents_are_long_enough(self) -> Problem | None:
        order = self.markov.order
        if self.kind != "markov" or self.length > order:
            return None
        what = f"is not above data.synthetic.markov.order = {order}"
        return Problem("length", what, self.length, f"at least {order + 1}")
