"""The error of a training for which memory did not suffice."""

from dataclasses import replace
from pathlib import Path

import pytest

from reprolm.distributed.world import World
from reprolm.errors import Exit, ReprolmError, refuse
from reprolm.plan import reckoned as module
from reprolm.plan.memory import memory
from reprolm.plan.process import KERNELS_BYTES
from reprolm.plan.reckoned import reckoned
from reprolm.train.run import Run
from tests.train.runs import run


def of(sequences: int, it: Run) -> int:
    train = it.train.model_copy(update={"micro_batch_size": sequences})
    return memory(it.model, train, it.training.vocab_size, it.device).heap_bytes + KERNELS_BYTES


def ended(it: Run, free: int, monkeypatch: pytest.MonkeyPatch) -> ReprolmError:
    """What the error is where so much memory is free."""
    monkeypatch.setattr(module, "free_bytes", lambda device: free)
    with pytest.raises(ReprolmError) as caught, reckoned(it):
        raise refuse(
            "train.micro_batch_size", "too much", got="1024 sequences at once", want="512", exit=Exit.MEMORY
        )
    return caught.value


def test_it_tells_what_is_needed_and_the_largest_part_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = run(tmp_path, batch_size=1024)
    for fits in (128, 512):
        error = ended(it, of(fits, it) + 1, monkeypatch)
        assert error.exit is Exit.MEMORY
        assert f"want {fits}, or train.on_out_of_memory: halve" in str(error)
        assert "got 1024 sequences at once, which take " in str(error)


def test_where_not_even_one_fits_no_part_is_advised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "want a smaller model" in str(ended(run(tmp_path, batch_size=1024), 1, monkeypatch))


def test_where_a_limit_cannot_be_seen_half_is_to_be_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "want 512)" in str(ended(run(tmp_path, batch_size=1024), 1 << 50, monkeypatch))


def test_memory_that_runs_out_beside_a_step_is_told_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = run(tmp_path, batch_size=1024)
    monkeypatch.setattr(module, "free_bytes", lambda device: of(128, it) + 1)
    with pytest.raises(ReprolmError) as caught, reckoned(it):
        raise MemoryError
    assert "got 1024 sequences at once, which take " in str(caught.value)
    assert "want 128, or train.on_out_of_memory: halve" in str(caught.value)
    assert caught.value.exit is Exit.MEMORY


def test_processes_share_the_memory_of_their_own_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = replace(run(tmp_path, batch_size=1024), world=World(0, 4, 2))
    monkeypatch.setattr(module, "free_bytes", lambda device: 3 * 10**9)
    with pytest.raises(ReprolmError) as caught, reckoned(it):
        raise MemoryError
    assert "where 1.50 GB were free" in str(caught.value)


def test_other_errors_are_left_as_they_are(tmp_path: Path) -> None:
    error = refuse("train.steps", "is wrong")
    with pytest.raises(ReprolmError) as caught, reckoned(run(tmp_path)):
        raise error
    assert caught.value is error
