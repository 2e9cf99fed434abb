"""One process, and what each of several takes."""

import pytest
import torch

from reprolm.distributed.layout import laid_as, whole
from reprolm.distributed.world import ALONE, World, _messages
from reprolm.errors import Exit, ReprolmError


def test_alone_everything_is_as_it_was_given() -> None:
    tensor = torch.arange(3.0)
    ALONE.add([tensor])
    assert tensor.tolist() == [0, 1, 2]
    assert ALONE.added(2.5, 3) == [2.5, 3]
    assert (ALONE.largest(5), ALONE.shared(b"told"), ALONE.rows(4), ALONE.leads) == (
        5, b"told", range(4), True
    )  # fmt: skip
    assert whole(tensor) is tensor
    assert laid_as(tensor, torch.zeros(3)) is tensor


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_the_rows_of_all_processes_are_the_batch(size: int) -> None:
    rows = [row for rank in range(size) for row in World(rank, size).rows(6)]
    assert rows == list(range(6))


def test_a_batch_that_processes_do_not_divide_is_refused() -> None:
    line = r"train.batch_size: is not a multiple of the 4 processes \(got 6; want a multiple of 4\)"
    with pytest.raises(ReprolmError, match=line) as caught:
        World(0, 4).rows(6)
    assert caught.value.exit is Exit.PARAMETERS


def test_messages_hold_every_tensor_once_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reprolm.distributed.world.MESSAGE_BYTES", 32)
    tensors = [torch.zeros(size) for size in (1, 2, 9, 3, 3, 3)]
    parts = [[len(tensor) for tensor in part] for part in _messages(tensors)]
    assert parts == [[1, 2, 9], [3, 3, 3]]
