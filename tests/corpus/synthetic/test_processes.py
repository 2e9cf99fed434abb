"""Every process: seeded, streaming, scored exactly, with a floor that an oracle reaches."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reprolm.config import section, words
from reprolm.corpus.synthetic.chains import HiddenMarkov, random_rows, stationary
from reprolm.corpus.synthetic.config import SyntheticConfig
from reprolm.corpus.synthetic.options import ONE, Options
from reprolm.corpus.synthetic.process import Process
from reprolm.corpus.synthetic.source import Synthetic, process
from reprolm.errors import Exit, ReprolmError
from reprolm.seeds import stream
from tests.settings import raw

KINDS = words(SyntheticConfig.model_fields["kind"].annotation)
ALL = pytest.mark.parametrize("kind", KINDS)


def config(kind: str, **changes: Any) -> SyntheticConfig:
    values = raw("data")["synthetic"] | {"kind": kind, "documents": 300, "length": 60}
    for name, value in changes.items():
        values[name] = values[name] | value if isinstance(value, dict) else value
    return section({"data.synthetic": values}, "data.synthetic", SyntheticConfig)


def documents(settings: SyntheticConfig) -> list[bytes]:
    return [bytes(document) for document in Synthetic(settings)]


@ALL
def test_the_same_seed_gives_the_same_text_and_more_of_it_begins_alike(kind: str) -> None:
    few, many = documents(config(kind)), documents(config(kind, documents=310))
    assert few == many[:300]
    assert documents(config(kind, seed=2)) != few
    assert len(set(few)) > 250


@ALL
def test_an_oracle_reaches_the_floor_within_four_standard_errors(kind: str) -> None:
    settings = config(kind, documents=1500)
    known = process(settings)
    scored = [known.nats(document) for document in documents(settings)]
    sums, sizes = np.array([s.sum() for s in scored]), np.array([len(s) for s in scored])
    mean = sums.sum() / sizes.sum()
    error = (sums - mean * sizes).std(ddof=1) / (sizes.mean() * math.sqrt(len(sizes)))
    floor = known.floor()
    assert abs(mean - floor.nats_per_symbol) <= 4 * math.hypot(error, floor.standard_error)
    assert floor.bits_per_byte == pytest.approx(floor.nats_per_symbol / math.log(2))


@ALL
def test_every_byte_is_scored_and_none_is_worth_less_than_nothing(kind: str) -> None:
    known = process(config(kind))
    for index in range(20):
        document = known.document(index)
        nats = known.nats(document)
        assert len(nats) == len(document)
        assert nats.min() >= -1e-12


def prefix_mass(known: Process, text: bytes, alphabet: bytes) -> float:
    """Σ p(next byte) over all bytes, each scored in a document that goes on with it."""
    total = 0.0
    for byte in alphabet:
        total += continuation(known, text + bytes([byte]))
    return total


def continuation(known: Process, prefix: bytes) -> float:
    """p of the last byte of a prefix, from any document that begins so."""
    for key in range(4000):
        document = known.document(key)
        if document.startswith(prefix):
            return math.exp(-known.nats(document)[len(prefix) - 1])
    return 0.0


@pytest.mark.parametrize("kind", ["markov", "hidden_markov", "delay", "copying", "dyck"])
def test_the_probabilities_of_the_next_byte_sum_to_one(kind: str) -> None:
    small = {"markov": {"n_symbols": 3}, "hidden_markov": {"n_symbols": 3, "n_states": 2}}
    small |= {"delay": {"n_symbols": 3, "distance": 2}, "copying": {"n_symbols": 3, "length": 2}}
    known = process(config(kind, length=4, **small))
    alphabet = bytes(sorted(set(b"".join(known.document(key) for key in range(200)))))
    for size in range(3):
        for prefix in {known.document(key)[:size] for key in range(5)}:
            assert prefix_mass(known, prefix, alphabet) == pytest.approx(1.0, abs=1e-6)


def test_the_forward_algorithm_is_the_sum_over_all_hidden_paths() -> None:
    settings = config("hidden_markov", length=5, hidden_markov={"n_states": 3, "n_symbols": 4})
    known = process(settings)
    assert isinstance(known, HiddenMarkov)
    start = stationary(known.transitions)
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


def test_the_delayed_chain_has_the_entropy_of_its_formula() -> None:
    settings = config("delay", length=100_000, delay={"distance": 1, "n_symbols": 32, "noise": 0.1})
    assert process(settings).floor().nats_per_symbol == pytest.approx(0.6508, abs=1e-3)


def test_a_chain_of_higher_order_knows_more() -> None:
    """The oracle of order 2 is better on its own text than any table of order 1."""
    settings = config("markov", length=400, documents=60, markov={"order": 2, "n_symbols": 4})
    text = [np.frombuffer(document, np.uint8) - ord("a") for document in documents(settings)]
    pairs = np.zeros((4, 4))
    for symbols in text:
        np.add.at(pairs, (symbols[:-1], symbols[1:]), 1)
    p = pairs / pairs.sum(axis=1, keepdims=True)
    first_order = -(pairs * np.log(p)).sum() / pairs.sum()
    assert process(settings).floor().nats_per_symbol < first_order - 0.05


def test_probabilities_are_multiples_of_two_to_the_minus_32() -> None:
    options = Options(list("abc"), [1, 1, 1])
    assert options.cumulative[-1] == ONE
    assert all(float(p * ONE).is_integer() for p in options.p)
    rows = random_rows(5, 7, 2.0, 1)
    assert rows.sum(axis=1) == pytest.approx(np.ones(5))


def test_text_of_another_process_is_refused() -> None:
    with pytest.raises(
        ReprolmError, match="holds a document that its process cannot write, at offset 3"
    ) as caught:
        process(config("dyck")).nats(b"(((x")
    assert caught.value.exit is Exit.INTEGRITY


def test_a_story_keeps_its_names_and_its_verbs_agree() -> None:
    stories = [process(config("grammar")).document(stream(1, i)).decode() for i in range(200)]
    assert any("there were two" in story for story in stories)
    for story in stories:
        two = "there were two" in story
        assert story.endswith((". \n",))
        assert (" were " in story.split("In the end")[1]) == two
        assert (" they " in story) or not two or ("Every day" not in story)
        name = story.split(" named ")[1].split(".")[0]
        assert f"In the end, {name} " in story


@pytest.mark.parametrize(
    ("kind", "changes", "line"),
    [
        (
            "markov",
            {"markov": {"order": 4, "n_symbols": 16}},
            "and data.synthetic.markov.order = 4 make 65536 contexts",
        ),
        (
            "recall",
            {"recall": {"n_pairs": 9, "n_keys": 8}},
            "n_pairs: is above data.synthetic.recall.n_keys = 8",
        ),
        ("markov", {"length": 1}, "data.synthetic.length: is not above data.synthetic.markov.order = 1"),
    ],
)
def test_an_impossible_process_is_one_line(kind: str, changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ReprolmError, match=line):
        config(kind, **changes)


def test_a_corpus_of_it_says_what_its_floor_is(tmp_path: Path) -> None:
    import json

    from reprolm.corpus.build import build
    from tests.corpus.test_build import config as data

    build(data(source="synthetic", synthetic={"kind": "copying"}), tmp_path / "corpus", tmp_path)
    account = json.loads((tmp_path / "corpus" / "corpus.json").read_text())
    assert account["synthetic"]["kind"] == "copying"
    assert account["floor"]["nats_per_symbol"] == pytest.approx(16 * math.log(26) / 33)
