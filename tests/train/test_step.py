"""A step of training, however it is computed."""

import functools
from pathlib import Path
from typing import Any

import pytest
import torch

from reprolm.data.batches import Batch
from reprolm.errors import Exit, ReprolmError
from reprolm.train.loop import Trainer
from reprolm.train.precision import LossScale
from reprolm.train.step import Step, shares
from tests.settings import raw
from tests.train.runs import Memory, finished, run


def trained(tmp_path: Path, name: str, steps: int = 12, **changes: Any) -> tuple[Trainer, list[float]]:
    trainer = Trainer(run(tmp_path, steps=steps, **changes), tmp_path / name, memory := Memory())
    trainer.fit()
    return trainer, [values["train/loss"] for _, values in memory.points]


def distance(one: Trainer, other: Trainer) -> float:
    pairs = zip(one.step.model.parameters(), other.step.model.parameters(), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("feedforward", ["relu2", "moe"])
def test_a_batch_in_parts_is_the_whole_batch(tmp_path: Path, optimizer: str, feedforward: str) -> None:
    # experts count their load in each part by itself: without the balance loss, all is the same
    moe = raw("model")["moe"] | {"balance_coefficient": 0.0}
    kinds = {"optimizer": optimizer, "feedforward": feedforward, "moe": moe}
    whole, losses = trained(tmp_path, "whole", **kinds)
    for size in (1, 2):
        parts, others = trained(tmp_path, f"parts-{size}", micro_batch_size=size, **kinds)
        assert others == pytest.approx(losses, abs=1e-4)
        assert distance(whole, parts) < 1e-4


@pytest.mark.parametrize(
    "kinds", [{}, {"optimizer": "muon", "micro_batch_size": 2}, {"loss": "chunked"}, {"position": "learned"},
              {"precision": "float16"}], ids=str
)  # fmt: skip
def test_threads_that_each_take_a_share_of_a_batch_train_as_one_does(
    tmp_path: Path, kinds: dict[str, Any]
) -> None:
    alone, losses = trained(tmp_path, "alone", **kinds)
    # a sum in another order, rounded to 11 bits
    near = 1e-2 if "precision" in kinds else 1e-4
    for threads in (2, 4):
        trainer, others = trained(tmp_path, f"threads-{threads}", threads=threads, **kinds)
        assert trainer.step.threads.count == min(threads, trainer.step.micro_batch_size)
        assert others == pytest.approx(losses, abs=near)
        assert distance(alone, trainer) < near
        again, same = trained(tmp_path, f"again-{threads}", threads=threads, **kinds)
        assert same == others
        assert distance(trainer, again) == 0


@pytest.mark.parametrize(
    ("kinds", "count"),
    [
        ({"threads": 6}, 2), ({"threads": 3}, 1), ({"threads": 4, "micro_batch_size": 2}, 2),
        ({"threads": 2, "dropout": 0.1}, 1), ({"threads": 2, "feedforward": "moe"}, 1),
        ({"threads": 2, "compile": True}, 1),
    ],
    ids=str,
)  # fmt: skip
def test_shares_are_equal_and_independent(tmp_path: Path, kinds: dict[str, Any], count: int) -> None:
    config = run(tmp_path, batch_size=4, **kinds)
    assert shares(config, config.train.micro_batch_size or 4) == count


def test_a_share_that_fails_leaves_no_gradient_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Trainer(run(tmp_path, batch_size=4, threads=2), tmp_path / "a", Memory()).step
    whole = step._objective

    def failing(batch: Batch, chosen: range) -> Any:
        if chosen.start:
            raise ValueError("a fault")
        return whole(batch, chosen)

    monkeypatch.setattr(step, "_objective", failing)
    with pytest.raises(ValueError, match="a fault"):
        step.train_batch(0)
    assert all(tensor.grad is None for tensor in step.model.parameters())


def measured(step: Step) -> tuple[torch.Tensor, int]:
    """The loss of the first batch, and how many numbers were kept for going backward."""
    sizes: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = step.train_batch(0)["train/loss"]
    return loss, sum(sizes)


def test_recomputing_activations_changes_no_bit_and_keeps_less(tmp_path: Path) -> None:
    kept, results = {}, {}
    for again in (False, True):
        config = run(tmp_path, activation_checkpointing=again, dropout=0.1, n_layers=6)
        step = Trainer(config, tmp_path / str(again), Memory()).step
        results[again], kept[again] = measured(step)
        results[again, "norm"] = step.optim_step(0)
    assert torch.equal(results[False], results[True])
    assert torch.equal(results[False, "norm"], results[True, "norm"])
    assert kept[True] < kept[False] / 2


@pytest.mark.filterwarnings("error:Mismatch dtype")
@pytest.mark.parametrize("position", ["rope", "alibi"])
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_follows_the_curve_of_float32(tmp_path: Path, precision: str, position: str) -> None:
    options = {"steps": 40, "learning_rate": 0.01, "position": position}
    _, losses = trained(tmp_path, "float32", **options)
    half, others = trained(tmp_path, precision, precision=precision, **options)
    assert others != losses
    assert others[-1] == pytest.approx(losses[-1], abs=0.1)
    assert all(tensor.dtype == torch.float32 for tensor in half.step.model.parameters())


def test_a_step_that_overflows_is_left_out_and_halves_the_scale(tmp_path: Path) -> None:
    config = run(tmp_path, precision="float16", log_every_steps=1)
    trainer = Trainer(config, tmp_path / "a", Memory())
    scale = trainer.step.precision.scale
    assert scale is not None
    scale.scale = 2.0**40
    before = [tensor.clone() for tensor in trainer.step.model.parameters()]
    trainer.step.train_batch(0)
    assert not torch.isfinite(trainer.step.optim_step(0))
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.step.model.parameters(), strict=True))
    assert scale.scale == 2.0**39
    assert all(tensor.grad is None for tensor in trainer.step.model.parameters())


def test_the_scale_grows_after_many_clean_steps_and_gives_up_below_one() -> None:
    scale = LossScale(4.0)
    for _ in range(2000):
        scale.update(overflowed=False)
    assert (scale.scale, scale.clean_steps) == (8.0, 0)
    for _ in range(3):
        scale.update(overflowed=True)
    line = r"train.precision: lets gradients overflow .*got float16; want bfloat16 or float32"
    with pytest.raises(ReprolmError, match=line) as caught:
        scale.update(overflowed=True)
    assert caught.value.exit is Exit.DIVERGED


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"horizon": "steps", "steps": 7}, 7),
        ({"horizon": "tokens", "tokens": 7 * 64}, 7),
        ({"horizon": "tokens", "tokens": 7 * 64 + 1}, 8),
        ({"horizon": "epochs", "epochs": 2.0}, 93),  # 186 windows of 3,000 tokens, 4 a step
    ],
)
def test_the_horizon_is_counted_in_steps_tokens_or_epochs(
    tmp_path: Path, changes: dict[str, Any], steps: int
) -> None:
    assert Trainer(run(tmp_path, **changes), tmp_path / "a", Memory()).step.total == steps


def test_a_warm_up_beyond_the_horizon_is_one_line(tmp_path: Path) -> None:
    config = run(tmp_path, horizon="tokens", tokens=64, warmup_steps=2)
    with pytest.raises(ReprolmError, match=r"train.warmup_steps: is not below the 1 steps of train.tokens"):
        Trainer(config, tmp_path / "a", Memory())


@pytest.mark.parametrize(
    ("batch", "part", "want"), [(16, 5, "want 4 or 8"), (16, 32, "want 16"), (4, 3, "want 2 or 4")]
)
def test_parts_that_do_not_fill_the_batch_are_one_line(
    tmp_path: Path, batch: int, part: int, want: str
) -> None:
    line = rf"train.micro_batch_size: does not divide train.batch_size = {batch} \(got {part}; {want}\)"
    with pytest.raises(ReprolmError, match=line):
        run(tmp_path, batch_size=batch, micro_batch_size=part)


def test_patience_ends_the_run_and_a_resumed_run_has_the_same_patience(tmp_path: Path) -> None:
    options = {
        "steps": 400, "learning_rate": 0.05, "validate_every_steps": 5, "patience_validations": 3,
        "checkpoint_every_steps": 7, "schedule": "constant", "log_every_steps": 50,
    }  # fmt: skip
    config = run(tmp_path, **options)
    whole = finished(config, tmp_path / "a", tmp_path / "out-a")
    ended = whole[2]["steps"]
    assert ended < 400
    assert ended == whole[2]["best_step"] + 3 * 5

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Trainer(config, tmp_path / "b", Memory(ended - 5, stop)).fit()
    assert finished(config, tmp_path / "b", tmp_path / "out-b") == whole


def test_a_compiled_model_trains_as_one_that_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []

    def traced(graph: Any, _: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    # the graphs are run as they were found: a backend that makes kernels takes a minute
    monkeypatch.setattr("torch.compile", functools.partial(torch.compile, backend=traced))
    _, losses = trained(tmp_path, "plain")
    assert not compiled
    trainer, others = trained(tmp_path, "compiled", compile=True, threads=2)
    assert compiled
    assert others == losses
    assert trainer.step.threads.count == 1
