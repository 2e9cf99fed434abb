from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprolm.data.batches import Batches
from reprolm.data.windows import IGNORED
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
            starts = sorted(int(made.starts(row // size)[row % size]) for row in rows)
            # end to end: every token between the first and the last is seen, and none twice
            assert starts == list(range(starts[0], starts[0] + made.windows * context, context))
            assert 0 <= starts[0] < context
            assert starts[-1] + context + 1 <= count


def test_targets_are_the_inputs_shifted_by_one(tmp_path: Path) -> None:
    batch = batches(tmp_path, 300, 4, 16).at(3)
    inputs, targets = batch.inputs, batch.targets
    assert batch.counted == 64
    assert batch.documents is None
    assert inputs.shape == targets.shape == (4, 16)
    assert inputs.dtype == targets.dtype == np.int64
    assert np.array_equal(targets, inputs + 1)
    assert inputs.flags["C_CONTIGUOUS"]
    assert targets.flags["C_CONTIGUOUS"]


def test_a_batch_is_a_function_of_seed_and_step_alone(tmp_path: Path) -> None:
    made = batches(tmp_path, 300, 4, 16)
    forward = [made.at(step).inputs for step in range(40)]
    again = Batches(made._windows._tokens, 4, 16, 1)
    for step in (39, 7, 0, 23, 7):
        assert np.array_equal(again.at(step).inputs, forward[step])
    other = Batches(made._windows._tokens, 4, 16, 2)
    assert not all(np.array_equal(other.at(step).inputs, forward[step]) for step in range(40))


def test_the_order_of_the_windows_does_not_depend_on_the_batch_size(tmp_path: Path) -> None:
    made = batches(tmp_path, 300, 3, 16)
    by_three = np.concatenate([made.at(step).inputs for step in range(8)])
    by_four = np.concatenate([Batches(made._windows._tokens, 4, 16, 1).at(step).inputs for step in range(6)])
    assert np.array_equal(by_three, by_four)


def test_epochs_have_other_orders_and_other_borders(tmp_path: Path) -> None:
    made = batches(tmp_path, 2000, 1, 16)
    epochs = [[int(made.starts(e * made.windows + i)[0]) for i in range(made.windows)] for e in range(9)]
    assert len({min(starts) % 16 for starts in epochs}) > 3
    assert len({tuple(np.argsort(starts)) for starts in epochs}) == 9


def joined(made: Batches) -> None:
    """The rows of two ranks are the batch."""
    one, other, whole = made.rows(5, 0, 2), made.rows(5, 2, 6), made.at(5)
    assert np.array_equal(np.concatenate([one.inputs, other.inputs]), whole.inputs)
    assert np.array_equal(np.concatenate([one.targets, other.targets]), whole.targets)
    assert one.counted == other.counted == whole.counted == int((whole.targets != IGNORED).sum())


def test_ranks_share_the_batch(tmp_path: Path) -> None:
    made = batches(tmp_path, 300, 6, 16)
    joined(made)


def test_a_batch_may_be_larger_than_an_epoch(tmp_path: Path) -> None:
    made = batches(tmp_path, 17 * 2, 7, 16)
    assert made.windows == 1
    assert made.at(0).inputs.shape == (7, 16)


def test_one_window_is_enough_and_less_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    batch = batches(tmp_path / "a", 17, 1, 16).at(9)
    assert batch.inputs.tolist() == [list(range(16))]
    assert batch.targets.tolist() == [list(range(1, 17))]
    with pytest.raises(ReprolmError, match="shorter than one window"):
        batches(tmp_path / "b", 16, 1, 16)


ENDS = (5, 10, 45, 50, 100, 180)
"""Documents of 5, 5, 35, 5, 50, 80 and 20 tokens."""


def documents(directory: Path, laid: str, sampling: str = "permutation", size: int = 6) -> Batches:
    tokens = tokens_of(directory, list(range(200)), 200, shard_tokens=50, ends=ENDS)
    return Batches(tokens, size, 16, 1, laid=laid, sampling=sampling)  # type: ignore[arg-type]


def document_of(token: int) -> int:
    return sum(end <= token for end in ENDS)


def test_a_padded_window_stays_in_its_document_and_the_filling_counts_nowhere(tmp_path: Path) -> None:
    made = documents(tmp_path, "padded")
    assert made.windows == 1 + 1 + 3 + 1 + 4 + 5 + 2
    for step in range(12):
        batch = made.at(step)
        real = batch.targets != IGNORED
        assert batch.counted == int(real.sum())
        assert real.any(axis=0).all()  # no column is filling alone
        assert np.array_equal(batch.targets[real], batch.inputs[real] + 1)
        for inputs, targets, row in zip(batch.inputs, batch.targets, real, strict=True):
            assert len({document_of(token) for token in [*inputs[row], *targets[row]]}) == 1
            assert not inputs[~row].any()


def test_in_an_epoch_of_padded_windows_each_token_but_the_first_of_a_document_is_a_target_once(
    tmp_path: Path,
) -> None:
    made = documents(tmp_path, "padded", size=1)
    targets = np.concatenate([made.at(step).targets.ravel() for step in range(made.windows)])
    expected = sorted(set(range(200)) - {0, *ENDS})
    assert sorted(targets[targets != IGNORED].tolist()) == expected


def test_isolated_windows_are_the_packed_ones_and_know_their_documents(tmp_path: Path) -> None:
    packed = documents(tmp_path, "packed")
    isolated = Batches(packed._windows._tokens, 6, 16, 1, laid="isolated")
    for step in range(8):
        batch = isolated.at(step)
        assert np.array_equal(batch.inputs, packed.at(step).inputs)
        assert batch.documents is not None
        expected = [[document_of(token) for token in row] for row in batch.inputs]
        assert (batch.documents - 1).tolist() == expected


@pytest.mark.parametrize("laid", ["packed", "padded"])
def test_windows_drawn_by_lot_are_a_function_of_the_step_and_may_repeat(tmp_path: Path, laid: str) -> None:
    made = documents(tmp_path, laid, "with_replacement")
    assert np.array_equal(made.at(7).inputs, made.at(7).inputs)
    starts = np.concatenate([made.starts(step) for step in range(400)])
    counts = np.bincount(starts)
    places = 184 if laid == "packed" else made.windows
    assert np.count_nonzero(counts) == places
    assert counts.max() > counts[counts > 0].min()
    assert counts[counts > 0].mean() == pytest.approx(2400 / places)
    joined(made)


@pytest.mark.parametrize("laid", ["packed", "isolated", "padded"])
@pytest.mark.parametrize("sampling", ["permutation", "with_replacement"])
def test_ranks_share_the_batch_however_windows_lie(tmp_path: Path, laid: str, sampling: str) -> None:
    joined(documents(tmp_path, laid, sampling))


def test_a_text_without_a_document_of_two_tokens_cannot_be_padded(tmp_path: Path) -> None:
    tokens = tokens_of(tmp_path, [3], 5)
    with pytest.raises(ReprolmError, match=r"train.windows: padded finds no document of two tokens"):
        Batches(tokens, 1, 4, 1, laid="padded")


@settings(max_examples=30)
@given(
    st.lists(st.integers(1, 25), min_size=1, max_size=12), st.integers(1, 10), st.integers(1, 5), st.data()
)
def test_however_long_documents_are_a_padded_epoch_predicts_all_of_each_but_its_first_token_once(
    sizes: list[int], context: int, size: int, data: st.DataObject
) -> None:
    if max(sizes) < 2:
        return
    bounds = [0, *np.cumsum(sizes).tolist()]
    with TemporaryDirectory() as folder:
        tokens = tokens_of(
            Path(folder), list(range(bounds[-1])), 300, data.draw(st.integers(1, 80)), bounds[1:]
        )
        made = Batches(tokens, size, context, data.draw(st.integers(0, 9)), laid="padded")
        expected = sorted(set(range(bounds[-1])) - set(bounds))
        seen: list[int] = []
        for visit in range(made.windows):
            row = made.rows(visit // size, visit % size, visit % size + 1)
            real = row.targets[0] != IGNORED
            inputs, targets = row.inputs[0, real].tolist(), row.targets[0, real].tolist()
            assert targets == [token + 1 for token in inputs] != []
            assert not np.diff(real.astype(int)).clip(min=0).any()  # filling lies at the end
            assert set(row.inputs[0, ~real]) <= {0}
            assert not set(targets) & set(bounds)
            seen += targets
        assert sorted(seen) == expected
        whole = made.at(0)
        assert whole.counted == (whole.targets != IGNORED).sum()
        assert (whole.targets[:, -1] != IGNORED).any()


@settings(max_examples=30)
@given(st.lists(st.integers(1, 25), min_size=2, max_size=12), st.integers(1, 10), st.data())
def test_the_documents_of_isolated_windows_are_those_of_the_offsets(
    sizes: list[int], context: int, data: st.DataObject
) -> None:
    bounds = np.cumsum(sizes)
    if bounds[-1] <= context:
        return
    sampling = data.draw(st.sampled_from(["permutation", "with_replacement"]))
    with TemporaryDirectory() as folder:
        ids = list(range(bounds[-1]))
        tokens = tokens_of(Path(folder), ids, 300, data.draw(st.integers(1, 80)), bounds.tolist())
        made = Batches(tokens, 5, context, data.draw(st.integers(0, 9)), laid="isolated", sampling=sampling)
        batch = made.at(data.draw(st.integers(0, 50)))
        assert batch.documents is not None
        expected = [
            [1 + sum(end <= token for end in bounds) for token in row] for row in batch.inputs.tolist()
        ]
        assert batch.documents.tolist() == expected


@pytest.mark.parametrize("laid", ["packed", "isolated", "padded"])
@pytest.mark.parametrize("sampling", ["permutation", "with_replacement"])
def test_the_documents_of_a_batch_are_those_of_its_inputs(tmp_path: Path, laid: str, sampling: str) -> None:
    made = documents(tmp_path, laid, sampling)
    for step in range(6):
        batch = made.at(step)
        read = batch.inputs[batch.targets != IGNORED]
        assert made.documents(step) == sorted({1 + document_of(token) for token in read.tolist()})
