from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprolm.data.batches import Batches
from reprolm.errors import ReprolmError
from tests.data.settings import tokens_of


def batches(directory: Path, count: int, batch_size: int, context_length: int, seed: int = 1) -> Batches:
    """Over the tokens 0, 1, 2 …, so that a token tells its place."""
    tokens = tokens_of(directory, list(range(count)), count, shard_tokens=50)
    return Batches(tokens, batch_size, context_length, seed)


@settings(max_examples=40)
@given(st.integers(2, 200), st.integers(1, 40), st.integers(1, 12))
def test_each_window_is_visited_exactly_once_an_epoch(count: int, context: int, size: int) -> None:
    if count < context + 1:
        return
    with TemporaryDirectory() as folder:
        made = batches(Path(folder), count, size, context)
        for epoch in range(3):
            rows = range(epoch * made.windows, (epoch + 1) * made.windows)
            starts = sorted(int(made.starts(row // size, row % size, row % size + 1)[0]) for row in rows)
            # end to end: every token between the first and the last is seen, and none twice
            assert starts == list(range(starts[0], starts[0] + made.windows * context, context))
            assert 0 <= starts[0] < context
            assert starts[-1] + context + 1 <= count


def test_targets_are_the_inputs_shifted_by_one(tmp_path: Path) -> None:
    inputs, targets = batches(tmp_path, 300, 4, 16).at(3)
    assert inputs.shape == targets.shape == (4, 16)
    assert inputs.dtype == targets.dtype == np.int64
    assert np.array_equal(targets, inputs + 1)
    assert inputs.flags["C_CONTIGUOUS"]
    assert targets.flags["C_CONTIGUOUS"]


def test_a_batch_is_a_function_of_seed_and_step_alone(tmp_path: Path) -> None:
    made = batches(tmp_path, 300, 4, 16)
    forward = [made.at(step)[0] for step in range(40)]
    again = Batches(made._tokens, 4, 16, 1)
    for step in (39, 7, 0, 23, 7):
        assert np.array_equal(again.at(step)[0], forward[step])
    other = Batches(made._tokens, 4, 16, 2)
    assert not all(np.array_equal(other.at(step)[0], forward[step]) for step in range(40))


def test_the_order_of_the_windows_does_not_depend_on_the_batch_size(tmp_path: Path) -> None:
    made = batches(tmp_path, 300, 3, 16)
    by_three = np.concatenate([made.at(step)[0] for step in range(8)])
    by_four = np.concatenate([Batches(made._tokens, 4, 16, 1).at(step)[0] for step in range(6)])
    assert np.array_equal(by_three, by_four)


def test_epochs_have_other_orders_and_other_borders(tmp_path: Path) -> None:
    made = batches(tmp_path, 2000, 1, 16)
    epochs = [
        [int(made.starts(e * made.windows + i, 0, 1)[0]) for i in range(made.windows)] for e in range(9)
    ]
    assert len({min(starts) % 16 for starts in epochs}) > 3
    assert len({tuple(np.argsort(starts)) for starts in epochs}) == 9


def test_ranks_share_the_batch(tmp_path: Path) -> None:
    made = batches(tmp_path, 300, 6, 16)
    for part, whole in zip(zip(made.rows(5, 0, 2), made.rows(5, 2, 6), strict=True), made.at(5), strict=True):
        assert np.array_equal(np.concatenate(part), whole)


def test_a_batch_may_be_larger_than_an_epoch(tmp_path: Path) -> None:
    made = batches(tmp_path, 17 * 2, 7, 16)
    assert made.windows == 1
    assert made.at(0)[0].shape == (7, 16)
    assert made.epoch_at(1) == 7


def test_the_epoch_is_the_one_in_which_a_step_begins(tmp_path: Path) -> None:
    made = batches(tmp_path, 16 * 11, 4, 16)
    assert made.windows == 10
    assert [made.epoch_at(step) for step in range(6)] == [0, 0, 0, 1, 1, 2]


def test_one_window_is_enough_and_less_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    inputs, targets = batches(tmp_path / "a", 17, 1, 16).at(9)
    assert inputs.tolist() == [list(range(16))]
    assert targets.tolist() == [list(range(1, 17))]
    with pytest.raises(ReprolmError, match="shorter than one window"):
        batches(tmp_path / "b", 16, 1, 16)
