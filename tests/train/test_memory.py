"""A step for which memory does not suffice."""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from reprolm.data.batches import Batch
from reprolm.errors import Exit, ReprolmError
from reprolm.store import read_json
from reprolm.train import forensics
from reprolm.train.loop import Trainer
from reprolm.train.publish import numbers, publish_record
from reprolm.train.step import Step, shares
from tests.train.runs import CrashError, Memory, crash, finished, published, run
from tests.train.test_step import distance, trained


class Hungry(Step):
    """Has memory for two sequences."""

    def _part(self, batch: Batch, rows: range) -> dict[str, torch.Tensor]:
        if len(rows) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
        return super()._part(batch, rows)


def hungry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Trainer:
    monkeypatch.setattr("reprolm.train.loop.Step", Hungry)
    return Trainer(run(tmp_path, batch_size=8, **changes), tmp_path / "hungry", Memory())


def test_out_of_memory_is_one_line_with_the_size_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        ReprolmError, match=r"needs more memory .*got 8 sequences at once; want 4, or"
    ) as caught:
        hungry(tmp_path, monkeypatch).fit()
    assert caught.value.exit is Exit.MEMORY


def test_the_size_to_try_divides_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reprolm.train.loop.Step", Hungry)
    config = run(tmp_path, batch_size=15, micro_batch_size=5)
    with pytest.raises(ReprolmError, match=r"got 5 sequences at once; want 1, or"):
        Trainer(config, tmp_path / "hungry", Memory()).fit()


def test_where_it_may_halve_it_goes_on_with_the_same_tokens_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = hungry(tmp_path, monkeypatch, on_out_of_memory="halve")
    trainer.fit()
    assert trainer.state.micro_batch_size == 2
    assert capsys.readouterr().err.count("out of memory; goes on with") == 2
    assert trainer.step.shape["halved_to"] == numbers(trainer)["halved_to"] == 2
    publish_record(trainer, tmp_path / "record")
    forensics.write(trainer.watch, trainer.checkpoints, tmp_path / "forensics", str)
    for out in ("record", "forensics"):
        assert read_json(tmp_path / out / "certificate.json")["device"]["halved_to"] == 2
    monkeypatch.undo()
    whole, _ = trained(tmp_path, "whole", batch_size=8, micro_batch_size=2)
    assert distance(whole, trainer) == 0.0
    assert "halved_to" not in whole.step.shape | numbers(whole)


def test_what_memory_has_halved_stays_so_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run(tmp_path, batch_size=8, threads=4, on_out_of_memory="halve")
    with monkeypatch.context() as patched:
        patched.setattr("reprolm.train.loop.Step", Hungry)
        whole = finished(config, tmp_path / "a", tmp_path / "out-a")
        with pytest.raises(CrashError):
            Trainer(config, tmp_path / "b", Memory(8, crash)).fit()
    # there would be memory for eight now
    trainer = Trainer(config, tmp_path / "b", Memory())
    assert (trainer.step.micro_batch_size, trainer.step.threads.count) == (2, 2)
    trainer.fit()
    assert published(trainer, tmp_path / "out-b") == whole


def test_no_thread_is_left_of_those_that_took_larger_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, found = set(threading.enumerate()), []

    class Late(Step):
        """Notices only at the end that there is no memory for more than two sequences."""

        def _part(self, batch: Batch, rows: range) -> dict[str, torch.Tensor]:
            alive = [each for each in threading.enumerate() if "side-by-side" in each.name]
            found.append((len(rows), len(set(alive) - before)))
            told = super()._part(batch, rows)
            if len(rows) > 2:
                raise MemoryError
            return told

    monkeypatch.setattr("reprolm.train.loop.Step", Late)
    config = run(tmp_path, batch_size=8, threads=4, steps=3, warmup_steps=1, on_out_of_memory="halve")
    Trainer(config, tmp_path / "late", Memory()).fit()
    assert found[:4] == [(8, 0), (4, 4), (2, 0), (2, 2)]


@pytest.mark.parametrize(("size", "count"), [(4, 4), (2, 2), (1, 1)])
def test_smaller_parts_have_as_many_threads_as_they_have_shares(
    tmp_path: Path, size: int, count: int
) -> None:
    step = Trainer(run(tmp_path, batch_size=8, threads=4), tmp_path / "a", Memory()).step
    step.halve(size)
    assert step.threads.count == shares(step.run, size) == count


def test_another_error_is_not_taken_for_lack_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(Step, "_part", broken)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        trained(tmp_path, "a", on_out_of_memory="halve")
