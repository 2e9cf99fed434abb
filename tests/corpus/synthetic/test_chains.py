"""Chains against their definitions."""

import itertools
import math

import numpy as np
import pytest

from reprolm.corpus.synthetic.chains import HiddenMarkov, random_rows, stationary_distribution
from reprolm.corpus.synthetic.source import process
from reprolm.seeds import stream
from tests.corpus.synthetic.settings import config, documents


def test_a_markov_chain_costs_what_its_table_says() -> None:
    """The table is made anew here, and the stationary start by stepping a thousand times."""
    settings = config("markov", seed=5, markov={"order": 2, "n_symbols": 3, "sharpness": 1.5})
    table = np.array(random_rows(9, 3, 1.5, stream(5, "markov")), dtype=float)
    table /= table.sum(axis=1, keepdims=True)
    pairs = np.full((3, 3), 1 / 9)
    for _ in range(1000):
        pairs = np.einsum("ab,abc->bc", pairs, table.reshape(3, 3, 3))
    known = process(settings)
    for key in range(5):
        document = known.document(key)
        x = [byte - ord("a") for byte in document]
        expected = [pairs.sum(axis=1)[x[0]], pairs[x[0], x[1]] / pairs.sum(axis=1)[x[0]]]
        expected += [table[3 * a + b, c] for a, b, c in zip(x, x[1:], x[2:], strict=False)]
        assert known.nats(document) == pytest.approx(-np.log(expected), rel=1e-6)


def test_a_chain_of_higher_order_knows_more_than_any_table_of_pairs() -> None:
    settings = config("markov", length=400, documents=60, markov={"order": 2, "n_symbols": 4})
    pairs = np.zeros((4, 4))
    for document in documents(settings):
        symbols = np.frombuffer(document, np.uint8) - ord("a")
        np.add.at(pairs, (symbols[:-1], symbols[1:]), 1)
    p = pairs / pairs.sum(axis=1, keepdims=True)
    first_order = -(pairs * np.log(p)).sum() / pairs.sum()
    assert process(settings).floor().nats_per_symbol < first_order - 0.05


def test_a_delayed_symbol_costs_little_where_it_repeats_and_much_where_not() -> None:
    known = process(config("delay", delay={"distance": 7, "n_symbols": 8, "noise": 0.25}))
    document = known.document(1)
    right, wrong = 0.75 + 0.25 / 8, 0.25 / 8
    again = [right if a == b else wrong for a, b in zip(document, document[7:], strict=False)]
    assert {right, wrong} == set(again)
    assert known.nats(document) == pytest.approx(-np.log([1 / 8] * 7 + again), rel=1e-6)


def test_the_delayed_chain_has_the_entropy_of_its_formula() -> None:
    settings = config("delay", length=100_000, delay={"distance": 1, "n_symbols": 32, "noise": 0.1})
    assert process(settings).floor().nats_per_symbol == pytest.approx(0.6508, abs=1e-3)


def test_the_forward_algorithm_is_the_sum_over_all_hidden_paths() -> None:
    known = process(config("hidden_markov", length=5, hidden_markov={"n_states": 3, "n_symbols": 4}))
    assert isinstance(known, HiddenMarkov)
    start = stationary_distribution(known.transitions)
    for key in range(5):
        document = known.document(key)
        at = ["abcd".index(chr(byte)) for byte in document]
        total = 0.0
        for path in itertools.product(range(3), repeat=5):
            p = start[path[0]] * known.emissions[path[0], at[0]]
            for before, state, symbol in zip(path, path[1:], at[1:], strict=False):
                p *= known.transitions[before, state] * known.emissions[state, symbol]
            total += p
        assert known.nats(document).sum() == pytest.approx(-math.log(total), rel=1e-9)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 8.0])
def test_the_stationary_distribution_stays_as_it_is(sharpness: float) -> None:
    rows = np.array(random_rows(30, 30, sharpness, 1), dtype=float)
    transitions = rows / rows.sum(axis=1, keepdims=True)
    state = stationary_distribution(transitions)
    assert state.sum() == pytest.approx(1.0)
    assert state @ transitions == pytest.approx(state, abs=1e-12)


def test_sharper_tables_are_easier_to_predict() -> None:
    floors = [process(config("markov", markov={"sharpness": s})).floor().nats for s in (0.5, 1.0, 2.0, 4.0)]
    assert floors == sorted(floors, reverse=True)


def test_the_largest_table_is_a_process() -> None:
    known = process(config("markov", markov={"order": 3, "n_symbols": 16}))
    assert 0 < known.floor().nats_per_symbol < math.log(16)
