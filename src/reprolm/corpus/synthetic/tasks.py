"""Processes that ask for one ability: to copy, to recall, to match brackets."""

import math

from reprolm.corpus.synthetic.config import CopyingConfig, DyckConfig, RecallConfig
from reprolm.corpus.synthetic.options import Choose, Options
from reprolm.corpus.synthetic.process import SYMBOLS, Floor, Walk, symbols

BRACKETS = ("()", "[]", "{}", "<>")


class Copying(Walk):
    """r_1 … r_m, a gap of dots, a bar, and r_1 … r_m again: the second half can be known."""

    def __init__(self, config: CopyingConfig) -> None:
        self._length, self._any = config.length, symbols(config.n_symbols)
        self._bar = Options(["." * config.gap + "|"])
        self._again = [Options([symbol]) for symbol in SYMBOLS[: config.n_symbols]]
        self._size = 2 * config.length + config.gap + 1

    def walk(self, choose: Choose) -> None:
        """The word, the gap, the word."""
        word = [choose(self._any) for _ in range(self._length)]
        choose(self._bar)
        for symbol in word:
            choose(self._again[symbol])

    def floor(self) -> Floor:
        """m ln K over 2m + g + 1 symbols, exact."""
        return Floor(self._length * self._any.entropy, self._size)


class Recall(Walk):
    """Pairs of a key and its value, a bar, then keys of them again, each with the value it had.

    Keys are different lower-case letters, values upper-case letters, a query any of the keys.
    """

    def __init__(self, config: RecallConfig) -> None:
        self._config = config
        self._values = Options(list(SYMBOLS[26 : 26 + config.n_values]))
        self._bar = Options(["|"])
        self._given = [Options([symbol]) for symbol in SYMBOLS[26 : 26 + config.n_values]]

    def walk(self, choose: Choose) -> None:
        """The pairs, the bar, the queries."""
        left, pairs = list(SYMBOLS[: self._config.n_keys]), []
        for _ in range(self._config.n_pairs):
            key = left.pop(choose(Options(left)))
            pairs.append((key, choose(self._values)))
        choose(self._bar)
        asked = Options([key for key, _ in pairs])
        for _ in range(self._config.n_queries):
            choose(self._given[pairs[choose(asked)][1]])

    def floor(self) -> Floor:
        """Σ ln(K − i) + n ln V + q ln n over 2n + 1 + 2q symbols, exact."""
        config = self._config
        keys = sum(math.log(config.n_keys - i) for i in range(config.n_pairs))
        nats = keys + config.n_pairs * math.log(config.n_values) + config.n_queries * math.log(config.n_pairs)
        return Floor(nats, 2 * config.n_pairs + 1 + 2 * config.n_queries)


class Dyck(Walk):
    """Brackets of k types: one opens with a given probability, of any type, or the last open one closes.

    At depth 0 one must open, at the greatest depth one must close; a document ends where it ends.
    """

    def __init__(self, config: DyckConfig, length: int) -> None:
        self._length, self._depth, self._types = length, config.depth, config.types
        opening = [pair[0] for pair in BRACKETS[: config.types]]
        share = config.opening / config.types
        self._open = Options(opening)
        self._close = [Options([pair[1]]) for pair in BRACKETS[: config.types]]
        self._either = [
            Options([*opening, pair[1]], [share] * config.types + [1 - config.opening])
            for pair in BRACKETS[: config.types]
        ]

    def walk(self, choose: Choose) -> None:
        """Bracket by bracket."""
        waiting: list[int] = []
        for _ in range(self._length):
            if not waiting:
                waiting.append(choose(self._open))
            elif len(waiting) == self._depth:
                choose(self._close[waiting.pop()])
            else:
                chosen = choose(self._either[waiting[-1]])
                if chosen < self._types:
                    waiting.append(chosen)
                else:
                    waiting.pop()

    def floor(self) -> Floor:
        """The entropy of a choice at each depth, by how likely that depth is at each place; exact."""
        at = [1.0] + [0.0] * self._depth
        either, opens = self._either[0], float(self._either[0].p[: self._types].sum())
        nats = 0.0
        for _ in range(self._length):
            nats += at[0] * self._open.entropy + sum(at[1:-1]) * either.entropy
            following = [0.0] * (self._depth + 1)
            for depth, p in enumerate(at):
                up = 1.0 if depth == 0 else 0.0 if depth == self._depth else opens
                if up:
                    following[depth + 1] += p * up
                if up < 1:
                    following[depth - 1] += p * (1 - up)
            at = following
        return Floor(nats, self._length)
