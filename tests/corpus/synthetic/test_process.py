"""What holds of every process."""

import hashlib
import math

import numpy as np
import pytest

from reprolm.corpus.synthetic.process import Process, Walk
from reprolm.corpus.synthetic.source import process
from reprolm.errors import Exit, ReprolmError
from reprolm.seeds import stream
from tests.corpus.synthetic.settings import KINDS, config, documents, endings, next_bytes

ALL = pytest.mark.parametrize("kind", KINDS)
WALKS = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "hidden_markov"])
TINY = {
    "markov": {"markov": {"order": 2, "n_symbols": 3}},
    "delay": {"delay": {"distance": 2, "n_symbols": 3, "noise": 0.3}},
    "copying": {"copying": {"length": 4, "gap": 2, "n_symbols": 3}},
    "recall": {"recall": {"n_pairs": 2, "n_queries": 2, "n_keys": 3, "n_values": 2}},
    "dyck": {"dyck": {"types": 2, "depth": 2, "opening": 0.3}},
}
FIRST_DOCUMENTS = {
    "markov": "c417c05213410d6a",
    "hidden_markov": "831c34b282f4d5f3",
    "delay": "a0422dda32e808a0",
    "copying": "2f63a60802cacc90",
    "recall": "da2521349435681b",
    "dyck": "9098e701766a5006",
    "grammar": "13600cd8d0f660e6",
}


@ALL
def test_the_same_seed_gives_the_same_text_and_more_of_it_begins_alike(kind: str) -> None:
    few, many = documents(config(kind, documents=30)), documents(config(kind, documents=40))
    assert few == many[:30]
    assert documents(config(kind, documents=30, seed=2)) != few
    assert len(set(many)) == 40


@ALL
def test_the_bytes_are_those_of_every_other_machine(kind: str) -> None:
    text = b"\n".join(documents(config(kind, documents=30)))
    assert hashlib.sha256(text).hexdigest()[:16] == FIRST_DOCUMENTS[kind]


@ALL
def test_the_process_reaches_its_own_floor_within_four_standard_errors(kind: str) -> None:
    known = process(config(kind))
    texts = [known.document(stream(7, i)) for i in range(300)]
    sums, sizes = np.array([known.nats(text).sum() for text in texts]), np.array([len(t) for t in texts])
    mean = sums.sum() / sizes.sum()
    error = (sums - mean * sizes).std(ddof=1) / (sizes.mean() * math.sqrt(len(sizes)))
    floor = known.floor()
    # where every document costs the same, nothing is left but rounding
    assert abs(mean - floor.nats_per_symbol) <= 4 * math.hypot(error, floor.standard_error) + 1e-9
    assert floor.bits_per_byte == pytest.approx(floor.nats_per_symbol / math.log(2))
    assert floor.symbols == pytest.approx(sizes.mean(), rel=0.05)


@ALL
def test_a_beginning_is_scored_as_in_the_whole(kind: str) -> None:
    known = process(config(kind))
    document = known.document(5)
    nats = known.nats(document)
    assert len(nats) == len(document)
    assert nats.min() >= 0
    for size in (0, 1, 7, len(document) // 2, len(document) - 1):
        assert known.nats(document[:size]) == pytest.approx(nats[:size], abs=1e-12)


@WALKS
def test_every_byte_is_scored_as_by_summing_over_all_ways_to_go_on(kind: str) -> None:
    known = process(config(kind, length=9, **TINY.get(kind, {})))
    assert isinstance(known, Walk)
    document = known.document(3)
    nats = known.nats(document)
    for at in range(0, len(document), 1 + len(document) // 60):
        p = next_bytes(known, document[:at])
        assert math.exp(-nats[at]) == pytest.approx(p[document[at]], rel=1e-9)


@pytest.mark.parametrize("kind", TINY)
def test_the_floor_is_the_mean_over_all_documents_that_can_be(kind: str) -> None:
    known = process(config(kind, length=5, **TINY[kind]))
    assert isinstance(known, Walk)
    everything = list(endings(known))
    assert math.fsum(p for _, p in everything) == pytest.approx(1.0, abs=1e-12)
    assert len({text for text, _ in everything}) == len(everything)
    entropy = -math.fsum(p * math.log(p) for _, p in everything)
    floor = known.floor()
    assert floor.standard_error == 0
    assert floor.nats == pytest.approx(entropy, rel=1e-6)
    assert floor.symbols == math.fsum(p * len(text) for text, p in everything)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if process(config(kind)).stationary])
def test_any_stretch_of_a_stationary_text_is_as_likely_as_a_beginning(kind: str) -> None:
    """Σ over what may stand before of p(before, stretch) = p(stretch)."""
    tiny = {"hidden_markov": {"hidden_markov": {"n_states": 3, "n_symbols": 3}}}
    known: Process = process(config(kind, length=9, **(TINY | tiny)[kind]))
    stretch = known.document(2)[4:8]
    befores = [f"{a}{b}".encode() for a in "abc" for b in "abc"]
    whole = math.fsum(math.exp(-known.nats(before + stretch).sum()) for before in befores)
    assert math.exp(-known.nats(stretch).sum()) == pytest.approx(whole, rel=1e-6)


@ALL
def test_the_text_of_another_process_is_refused(kind: str) -> None:
    with pytest.raises(ReprolmError, match="a document that its process cannot write, at offset 0") as caught:
        process(config(kind)).nats(b"~?")
    assert caught.value.exit is Exit.INTEGRITY
