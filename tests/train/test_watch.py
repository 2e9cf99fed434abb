"""What is told of training: events, series and certificates, the same whether a run was killed or not."""

import csv
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from reprolm.diagnose.series import clipping
from reprolm.errors import Exit, ReprolmError
from reprolm.model.storage import load_model
from reprolm.store import directory_digest, manifest, verified
from reprolm.train.loop import Trainer
from reprolm.train.publish import publish_record, speed
from reprolm.train.watch import unigram_nats
from tests.settings import raw
from tests.train.runs import CrashError, Memory, crash, finished, published, run

SICK: dict[str, Any] = {"steps": 130, "learning_rate": 3.0, "optimizer": "adamw", "batch_size": 2,
    "checkpoint_every_steps": 57, "validate_every_steps": 130,
}  # fmt: skip
"""A rate at which the small model spikes or diverges."""


def events(**changes: Any) -> dict[str, Any]:
    options: dict[str, Any] = raw("train")["events"] | changes
    return options


def record(trainer: Trainer, out: Path) -> dict[str, bytes]:
    publish_record(trainer, out)
    return {name: (out / name).read_bytes() for name in manifest(out)}


def trained(config: Any, directory: Path, recorder: Memory | None = None) -> Trainer:
    trainer = Trainer(config, directory, recorder or Memory())
    trainer.fit()
    return trainer


@pytest.mark.parametrize("at", [1, 7, 12])
def test_series_events_and_certificate_of_a_run_that_died_are_those_of_a_whole_one(
    tmp_path: Path, at: int
) -> None:
    config = run(tmp_path, dropout=0.1)
    whole = record(trained(config, tmp_path / "a"), tmp_path / "out-a")
    with pytest.raises(CrashError):
        trained(config, tmp_path / "b", Memory(at, crash))
    assert record(trained(config, tmp_path / "b"), tmp_path / "out-b") == whole
    stations = json.loads(whole["certificate.json"])["steps"]
    assert list(stations) == ["0", "10", "12"]
    assert len({station["weights"] for station in stations.values()}) == 3
    rows = list(csv.DictReader(whole["steps.csv"].decode().splitlines()))
    assert [row["step"] for row in rows] == [str(step) for step in range(1, 13)]


def test_a_certificate_tells_of_the_first_weights_those_after_10_and_100_steps_and_the_last(
    tmp_path: Path,
) -> None:
    rarely = {"validate_every_steps": 103, "log_every_steps": 50, "checkpoint_every_steps": 103}
    files = record(trained(run(tmp_path, steps=103, **rarely), tmp_path / "a"), tmp_path / "out")
    stations = json.loads(files["certificate.json"])["steps"]
    assert list(stations) == ["0", "10", "100", "103"]
    assert len({station["weights"] for station in stations.values()}) == 4


def test_a_sick_run_that_dies_has_the_same_events(tmp_path: Path) -> None:
    config = run(tmp_path, **SICK, events=events(on_divergence="record"))
    whole = trained(config, tmp_path / "a")
    assert whole.watch.records(), "the rate is meant to be too high"
    with pytest.raises(CrashError):
        trained(config, tmp_path / "b", Memory(115, crash))
    resumed = Trainer(config, tmp_path / "b", Memory())
    assert resumed.state.step == 114
    resumed.fit()
    assert resumed.watch.records() == whole.watch.records()
    assert resumed.watch.remembered() == whole.watch.remembered()


def test_the_series_has_each_step_however_often_the_run_looks(tmp_path: Path) -> None:
    trainer = trained(run(tmp_path, log_every_steps=5), tmp_path / "a")
    memory = Memory()
    trained(run(tmp_path), tmp_path / "b", memory)
    told = [values["train/loss"] for _, values in memory.points if "train/loss" in values]
    assert list(trainer.watch.series.columns["loss"]) == told
    assert len(speed(trainer).splitlines()) == 13


def test_a_run_that_is_poisoned_leaves_all_that_is_needed_to_see_why(tmp_path: Path) -> None:
    config = run(tmp_path)
    decode = lambda ids: "text of " + " ".join(map(str, ids))  # noqa: E731
    trainer = Trainer(config, tmp_path / "a", Memory(), decode)

    def poison() -> None:
        with torch.no_grad():
            trainer.tensors.model.head.weight[0, 0] = math.nan

    trainer.recorder = Memory(8, poison)
    with pytest.raises(ReprolmError) as caught:
        trainer.fit()
    assert caught.value.exit == Exit.DIVERGED
    assert f"look into {tmp_path / 'a' / 'forensics'})" in str(caught.value)
    assert "\n" not in str(caught.value)
    bundle = verified(tmp_path / "a" / "forensics")
    assert json.loads((bundle / "checkpoint.json").read_text()) == {
        "last_good": "../step-000000006", "began_step": 9, "event_step": 9,
    }  # fmt: skip
    (event,) = map(json.loads, (bundle / "events.jsonl").read_text().splitlines())
    assert (event["type"], event["step"], event["batches"], event["documents"]) == (
        "NONFINITE", 9, [8, 8], [1],
    )  # fmt: skip
    batch = trainer.step.batches.at(8)
    first = "text of " + " ".join(map(str, [*batch.inputs[0], batch.targets[0, -1]]))
    assert (bundle / "batch.txt").read_text().splitlines()[1] == first
    norms = list(csv.DictReader((bundle / "norms.csv").read_text().splitlines()))
    assert {row["step"] for row in norms} == {str(step) for step in range(1, 10)}
    of_eight = [float(row["gradient_norm"]) for row in norms if row["step"] == "8"]
    whole = trainer.watch.series.columns["gradient_norm"][7]
    assert math.sqrt(sum(norm * norm for norm in of_eight)) == pytest.approx(whole, rel=1e-6)
    assert {"config.json", "certificate.json", "steps.csv"} <= set(manifest(bundle))


@pytest.mark.parametrize("jump", [30, 61])
def test_the_good_checkpoint_of_a_divergence_is_older_than_its_rise(tmp_path: Path, jump: int) -> None:
    config = run(
        tmp_path, steps=400, learning_rate=1e-9, batch_size=2, validate_every_steps=400, log_every_steps=1,
        checkpoint_every_steps=20, qk_norm=False,
    )  # fmt: skip
    trainer = Trainer(config, tmp_path / "a", Memory())

    def harm() -> None:
        trainer.tensors.model.head.weight.data *= 100.0

    trainer.recorder = Memory(jump, harm)
    with pytest.raises(ReprolmError, match="DIVERGED"):
        trainer.fit()
    told = json.loads((tmp_path / "a" / "forensics" / "checkpoint.json").read_text())
    good = tmp_path / "a" / "forensics" / told["last_good"]
    assert good.resolve().is_dir()
    assert jump - 30 < int(good.name[5:]) < jump
    assert jump - 5 <= told["began_step"] <= jump + 5
    assert told["event_step"] >= jump + 90
    batch = trainer.step.batches.at(told["began_step"] - 1)
    assert str(batch.inputs[0].tolist())[:-1] in (tmp_path / "a" / "forensics" / "batch.txt").read_text()


def test_a_run_that_stopped_stops_again_at_the_same_step(tmp_path: Path) -> None:
    config = run(tmp_path, **SICK, events=events(diverged_share=0.01, spike_share=0.01))
    lines = []
    for _ in range(2):
        with pytest.raises(ReprolmError) as caught:
            trained(config, tmp_path / "a")
        lines.append((str(caught.value), directory_digest(tmp_path / "a" / "forensics")))
    assert lines[0][0] == lines[1][0]


def test_a_range_test_ends_at_its_edge_and_publishes(tmp_path: Path) -> None:
    config = run(
        tmp_path,
        steps=400,
        schedule="range",
        validate_every_steps=400,
        learning_rate=1e4,
        optimizer="sgd",
        max_grad_norm=None,
    )
    trainer = trained(config, tmp_path / "a")
    assert trainer.watch.detector.events[-1].type in ("DIVERGED", "NONFINITE")
    assert trainer.state.step < 400
    assert str(trainer.state.step) in trainer.watch.stations
    content = record(trainer, tmp_path / "out")
    rates = [
        float(row["learning_rate"]) for row in csv.DictReader(content["steps.csv"].decode().splitlines())
    ]
    assert rates[0] == pytest.approx(1.0)
    assert rates == sorted(rates)


EDGE = {
    "steps": 60, "schedule": "range", "validate_every_steps": 1000, "optimizer": "sgd", "learning_rate": 1e12,
    "max_grad_norm": None, "range": {"lowest_share": 1e-14},
}  # fmt: skip


def test_a_range_test_that_was_killed_ends_byte_identical(tmp_path: Path) -> None:
    config = run(tmp_path, **EDGE, checkpoint_every_steps=5)
    whole = finished(config, tmp_path / "a", tmp_path / "out-a")
    assert whole[2]["steps"] > 12
    with pytest.raises(CrashError):
        Trainer(config, tmp_path / "b", Memory(12, crash)).fit()
    assert finished(config, tmp_path / "b", tmp_path / "out-b") == whole


def test_a_range_test_that_breaks_at_once_publishes_weights_that_are_finite(tmp_path: Path) -> None:
    config = run(tmp_path, **EDGE | {"range": {"lowest_share": 0.9}}, checkpoint_every_steps=1)
    trainer = trained(config, tmp_path / "a")
    assert trainer.state.step < 10
    published(trainer, tmp_path / "out")
    loaded, _ = load_model(tmp_path / "out" / "model")
    assert all(tensor.isfinite().all() for tensor in loaded.parameters())


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    trainer = trained(run(tmp_path, steps=3), tmp_path / "a")
    with torch.no_grad():
        trainer.tensors.model.head.weight[0, 0] = math.inf
    trainer.watch.norms.take(4, trainer.step.norms)
    with pytest.raises(ReprolmError, match="step 3: NONFINITE: the weights are not finite"):
        trainer._save()


def test_clip_frequency_counts_norms_above_the_limit_and_how_much_is_cut() -> None:
    norms = [4.0, 0.5, 2.0, math.nan, 0.5, 0.5]
    told = clipping(norms, 1.0, 2)
    assert told["frequency"] == 2 / 5
    assert told["frequency_after_warmup"] == 1 / 3
    assert told["severity"] == pytest.approx((0.75 + 0.5) / 2, abs=1e-6)
    assert clipping(norms, None, 2) == told


def test_the_entropy_of_single_tokens_is_that_of_their_shares(tmp_path: Path) -> None:
    tokens = run(tmp_path).training
    counts = torch.bincount(torch.from_numpy(tokens[:])).double()
    assert unigram_nats(tokens) == pytest.approx(
        torch.distributions.Categorical(counts / counts.sum()).entropy().item()
    )


@pytest.mark.parametrize(("factor", "wanted"), [(1.0, []), (1e4, [("ENTROPY_COLLAPSE", 6)])])
def test_a_model_whose_heads_look_at_single_tokens_is_told_of(
    tmp_path: Path, factor: float, wanted: list[tuple[str, int]]
) -> None:
    config = run(tmp_path, steps=9, qk_norm=False, learning_rate=1e-9, validate_every_steps=2)
    trainer = Trainer(config, tmp_path / "a", memory := Memory())
    for block in trainer.tensors.model.blocks:
        block.attention.query.weight.data *= factor
    trainer.fit()
    assert [(event.type, event.step) for event in trainer.watch.detector.events] == wanted
    told = {step: point["validation/attention_entropy"] for step, point in memory.points
            if "validation/attention_entropy" in point}  # fmt: skip
    assert list(told) == [2, 4, 6, 8, 9]
    assert all((entropy < 0.05) == bool(wanted) for entropy in told.values())


def test_looks_are_not_counted_as_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def slow(*_: Any) -> list[list[float]]:
        clock[0] += 1000.0
        return [[0.5]]

    for module in ("watch", "loop"):
        monkeypatch.setattr(f"reprolm.train.{module}.time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr("reprolm.train.watch.attention.entropies", slow)
    trainer = trained(run(tmp_path, steps=8, validate_every_steps=2), tmp_path / "a", memory := Memory())
    assert clock[0] == 4000.0
    assert set(trainer.watch.series.columns["seconds"]) == {0.0}
    assert min(point["train/tokens_per_second"] for _, point in memory.points) > 1e9
