"""A run that was stopped ends, to the byte, as one that never was, whatever it is made of.

Left out is what does not exist here: data come from no workers, and no step begins before the last is whole.
"""

from pathlib import Path

import pytest
import torch

from reprolm.train.publish import numbers
from tests.train.cells import (
    CHOICES,
    CONTRACT,
    EDGE,
    Cell,
    Made,
    contract,
    covering,
    left,
    moved,
    named,
    pairs,
    quick_and_harsh,
)  # fmt: skip

PAIRS = covering(CHOICES)
EVERY = covering(CHOICES, contract())
COMPILED = covering({name: CONTRACT[name] for name in ("precision", "dropout", "parts", "average")})


@pytest.fixture(autouse=True)
def _quick_and_harsh(monkeypatch: pytest.MonkeyPatch) -> None:
    quick_and_harsh(monkeypatch)


def ends_as_a_whole_one(made: Made) -> None:
    whole, at = made.whole(), made.stopped()
    resumed = made.resumed()
    first, *_, last = whole.watch.stations.values()
    assert first["weights"] != last["weights"]
    assert 0 < at < resumed.state.step
    assert left(resumed, made.directory / "out-stopped") == left(whole, made.directory / "out-whole")
    assert moved(resumed) == moved(whole)


@pytest.mark.parametrize("cell", PAIRS, ids=named)
def test_a_stopped_run_ends_byte_identical(tmp_path: Path, cell: Cell) -> None:
    ends_as_a_whole_one(Made(tmp_path, cell))


@pytest.mark.heavy
@pytest.mark.parametrize("cell", EVERY, ids=named)
def test_a_stopped_run_of_every_cell_of_the_contract_ends_byte_identical(tmp_path: Path, cell: Cell) -> None:
    ends_as_a_whole_one(Made(tmp_path, cell))


@pytest.mark.heavy
@pytest.mark.parametrize("cell", COMPILED, ids=named)
def test_a_stopped_run_of_compiled_steps_ends_byte_identical(tmp_path: Path, cell: Cell) -> None:
    torch.compiler.reset()
    ends_as_a_whole_one(Made(tmp_path, cell, compile=True))


@pytest.mark.parametrize("cells", [PAIRS, EVERY], ids=["fast", "all"])
def test_any_two_options_meet_in_a_cell(cells: list[Cell]) -> None:
    met = set().union(*map(pairs, cells))
    levels = {(name, word) for name, words in CHOICES.items() for word in words}
    wanted = {frozenset((a, b)) for a in levels for b in levels if a[0] != b[0]}
    assert {frozenset(pair) for pair in met} == wanted


def test_every_combination_of_the_contract_is_a_cell() -> None:
    found = {tuple(cell[name] for name in CONTRACT) for cell in EVERY}
    assert len(found) == 3 * 2 * 2 * 2 * 4 == len(contract())


@pytest.mark.parametrize(("place", "epochs"), [("at the", 1.0), ("before an inner", 6 / 7)])
def test_the_second_epoch_begins_where_the_cells_say(tmp_path: Path, place: str, epochs: float) -> None:
    made = Made(tmp_path, {"saved": f"saved {place} edge"}, steps=EDGE, asked=False)
    assert numbers(made.whole())["epochs"] == epochs
