"""Processes in which the next symbol depends on some before it: Markov, delayed, hidden Markov."""

import itertools
import math

import numpy as np

from reprolm.corpus.synthetic.config import DelayConfig, HiddenMarkovConfig, MarkovConfig
from reprolm.corpus.synthetic.options import Choose, Nats, Options, Writer, foreign
from reprolm.corpus.synthetic.process import SYMBOLS, Floor, Process, Walk, symbols
from reprolm.seeds import stream

FINEST = 1 << 24


def random_rows(count: int, width: int, sharpness: float, key: int) -> list[list[int]]:
    """Weights ∝ E^sharpness with E exponential: at 1 every distribution is equally likely.

    Whole numbers up to 2^24: logarithm and power may differ between machines in their last bit, which
    reaches a weight once in 2^28.
    """
    source = np.random.Philox(key=key)
    uniform = ((source.random_raw(count * width) >> np.uint64(11)) + 0.5) * 2.0**-53
    rows = (-np.log(uniform.reshape(count, width))) ** sharpness
    shares = rows / rows.max(axis=1, keepdims=True)
    weights: list[list[int]] = np.rint(shares * FINEST).astype(np.int64).clip(min=1).tolist()
    return weights


def stationary_distribution(transitions: Nats) -> Nats:
    """The distribution π that a step leaves as it is: π P = π, Σ π = 1."""
    system = transitions.T - np.eye(len(transitions))
    system[-1] = 1.0
    state = np.linalg.solve(system, np.eye(len(transitions))[-1]).clip(min=0.0)
    result: Nats = state / state.sum()
    return result


class Markov(Walk):
    """x_t ~ P(· | x_{t−m} … x_{t−1}) with a random table; it starts with m stationary symbols."""

    stationary = True

    def __init__(self, config: MarkovConfig, length: int, seed: int) -> None:
        self._order, self._count, self._length = config.order, config.n_symbols, length
        contexts = config.n_symbols**config.order
        rows = random_rows(contexts, config.n_symbols, config.sharpness, stream(seed, "markov"))
        self._next = [symbols(config.n_symbols, row) for row in rows]
        self._start = self._starts(contexts)

    def _starts(self, contexts: int) -> Options:
        """All beginnings of m symbols, by how often they stand in the stationary chain."""
        transitions = np.zeros((contexts, contexts))
        for context, options in enumerate(self._next):
            first = context * self._count % contexts
            transitions[context, first : first + self._count] += options.p
        texts = ["".join(text) for text in itertools.product(SYMBOLS[: self._count], repeat=self._order)]
        return Options(texts, stationary_distribution(transitions).tolist())

    def walk(self, choose: Choose) -> None:
        """The beginning, then symbol by symbol."""
        context = choose(self._start)
        contexts, count = len(self._next), self._count
        for _ in range(self._length - self._order):
            context = (context * count + choose(self._next[context])) % contexts

    def floor(self) -> Floor:
        """H(π) + (L − m) · Σ π_c H(P_c), exact."""
        rate = float(self._start.p @ [options.entropy for options in self._next])
        return Floor(self._start.entropy + (self._length - self._order) * rate, self._length)


class Delay(Walk):
    """x_t = x_{t−k} with probability 1 − ε, else any symbol; the first k are any."""

    stationary = True

    def __init__(self, config: DelayConfig, length: int) -> None:
        self._distance, self._length, count = config.distance, length, config.n_symbols
        self._any = symbols(count)
        kept = (1 - config.noise) * np.eye(count) + config.noise / count
        self._after = [symbols(count, row) for row in kept.tolist()]

    def walk(self, choose: Choose) -> None:
        """Symbol by symbol."""
        written: list[int] = []
        for t in range(self._length):
            options = self._any if t < self._distance else self._after[written[t - self._distance]]
            written.append(choose(options))

    def floor(self) -> Floor:
        """k ln V + (L − k) H with H = −p ln p − (V − 1) q ln q, p = 1 − ε + ε/V, q = ε/V."""
        first = min(self._distance, self._length)
        rest = (self._length - first) * self._after[0].entropy
        return Floor(first * self._any.entropy + rest, self._length)


class HiddenMarkov(Process):
    """A hidden state moves by a random table and writes a symbol by another; it starts stationary.

    Scored by the forward algorithm (Rabiner 1989): p(x_t | x_<t) = Σ_s α_t(s) · B(s, x_t), where α_t is what
    is known of the state after x_<t.
    """

    stationary = True

    def __init__(self, config: HiddenMarkovConfig, length: int, seed: int) -> None:
        self._length, count = length, config.n_symbols
        states = range(config.n_states)
        move = random_rows(config.n_states, config.n_states, config.sharpness, stream(seed, "hidden", "move"))
        write = random_rows(config.n_states, count, config.sharpness, stream(seed, "hidden", "write"))
        self._move = [Options([bytes([s]) for s in states], row) for row in move]
        self._write = [symbols(count, row) for row in write]
        self.transitions = np.array([options.p for options in self._move])
        self.emissions = np.array([options.p for options in self._write])
        start = stationary_distribution(self.transitions)
        self._start = Options([bytes([s]) for s in states], start.tolist())
        # B(s, x) · A(s, s′): from the belief before a symbol x to that after it
        self._steps = {
            ord(symbol): self.emissions[:, [i]] * self.transitions for i, symbol in enumerate(SYMBOLS[:count])
        }

    def document(self, key: int) -> bytes:
        """The document that a random stream writes."""
        hidden, writer = Writer(stream(key, "state")), Writer(key)
        state = hidden.choose(self._start)
        for _ in range(self._length):
            writer.choose(self._write[state])
            state = hidden.choose(self._move[state])
        return writer.document()

    def nats(self, document: bytes) -> Nats:
        """−ln p of each byte of a document, or of any stretch of one, given those before it."""
        if strange := document.translate(None, bytes(self._steps)):
            raise foreign(document, document.index(strange[:1]))
        belief, result = self._start.p, []
        for byte in document:
            joint = belief @ self._steps[byte]
            p = float(joint.sum())
            result.append(-math.log(p))
            belief = joint / p
        return np.array(result)
