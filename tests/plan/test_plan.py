"""`reprolm plan`, from parameters to the table."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import ruamel.yaml
import torch

from reprolm.config import read_params
from reprolm.plan import plan as module
from reprolm.plan.around import STATED_SECONDS
from reprolm.plan.command import show
from reprolm.plan.memory import Memory
from reprolm.plan.pace import Pace
from reprolm.plan.plan import plan
from reprolm.plan.table import table
from reprolm.presets import preset, rendered
from reprolm.tracking import planned
from reprolm.train.config import TrainConfig
from tests.plan.repositories import CHARACTERS, params, publish_data
from tests.settings import ROOT

PACE = Pace(step_seconds=0.5, validation_token_seconds=0.01, basis="measured")
WEIGHTS = 1000
MEMORY = Memory(
    weights_bytes=WEIGHTS, gradients_bytes=WEIGHTS, optimizer_bytes={"adamw": 2 * WEIGHTS},
    average_bytes=0, best_weights_bytes=WEIGHTS, activations_bytes=5000, logits_bytes=7000, step_bytes=17_000,
    validation_bytes=9000, checkpoint_bytes=8000, cache_bytes=10, heap_bytes=18_000,
)  # fmt: skip
TOTALS = [
    ("moe_gqa", [], None, 27_348_864, 18_501_504),
    ("first_principles", [], 65, 10_690_625, 10_690_625),
    ("minigpt", [], 65, 10_788_929, 10_788_929),
    ("tinystories", [], None, 14_761_344, 14_761_344),
    ("tinystories", ["full"], None, 22_696_448, 22_696_448),
    ("tinystories", ["owt50m"], None, 45_224_448, 45_224_448),
    ("tinystories", ["owt125m"], None, 134_105_856, 134_105_856),
    ("tinystories", ["owt125m", "tied"], None, 109_529_856, 109_529_856),
]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of known speed, and a memory that was counted elsewhere."""
    monkeypatch.setattr(module, "chosen_device", lambda _: torch.device("cpu"))
    monkeypatch.setattr(module, "pace", lambda *_, **__: PACE)
    monkeypatch.setattr(module, "memory", lambda *_, **__: MEMORY)
    monkeypatch.setattr(module, "process_bytes", lambda _: 100_000)
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.setattr("os.cpu_count", lambda: 2)


def planned_for(root: Path, seconds: float | None = None, **sections: dict[str, Any]) -> dict[str, Any]:
    return plan(root, params(tokenizer=CHARACTERS, **sections), vocab_size=None, seconds=seconds)


@pytest.mark.parametrize(("name", "variants", "vocab_size", "total", "active"), TOTALS)
@pytest.mark.usefixtures("given")
def test_a_preset_is_planned_with_the_parameters_of_its_original(
    tmp_path: Path, name: str, variants: list[str], vocab_size: int | None, total: int, active: int
) -> None:
    chosen = preset(ROOT, name)
    raw = ruamel.yaml.YAML(typ="safe", pure=True).load(rendered(chosen, chosen.changes(variants)))
    made = plan(tmp_path, raw, vocab_size=vocab_size, seconds=None)
    parts = {part: count for part, count in made["parameters"].items() if part not in ("total", "active")}
    assert (made["parameters"]["total"], made["parameters"]["active"]) == (total, active)
    assert sum(parts.values()) == total
    assert max(len(line) for line in table(made).splitlines() if not line.startswith("!")) <= 80


@pytest.mark.usefixtures("given")
def test_tokens_epochs_and_times_follow_from_steps_and_data(tmp_path: Path) -> None:
    publish_data(tmp_path, tokens=16 * 24 + 1, held_out=50)
    made = planned_for(tmp_path, seconds=60.0)
    assert (made["steps"], made["step_tokens"], made["tokens"]) == (12, 4 * 16, 12 * 4 * 16)
    assert made["epochs"] == pytest.approx(12 * 4 / 23)
    assert made["flops"] == made["flops_per_token"] * made["tokens"]
    assert made["tokens_per_parameter"] == made["tokens"] / made["parameters"]["total"]
    assert made["seconds"]["steps"] == 12 * 0.5
    assert made["seconds"]["validation"] == pytest.approx(3 * 50 * 0.01)
    assert made["seconds"]["train"] == pytest.approx(6.0 + 1.5)
    assert made["seconds"]["around"] == STATED_SECONDS
    assert made["seconds"]["all"] == pytest.approx(7.5 + STATED_SECONDS)
    shown = " ".join(table(made).split())
    assert "around it 30.0 s DVC, other stages; no run here tells all of it 37.5 s" in shown
    assert made["seconds"]["steps_in_given"] == int(60 / (0.5 + 0.5 / 4))


@pytest.mark.usefixtures("given")
def test_memory_and_disk_are_sums_of_their_parts(tmp_path: Path) -> None:
    publish_data(tmp_path, tokens=1000, held_out=50)
    made = planned_for(tmp_path)
    assert made["memory"]["peak_bytes"] == 100_000 + 18_000
    assert {field.name for field in dataclasses.fields(Memory)} <= set(made["memory"])
    disk = made["disk"]
    assert disk["model_bytes"] == 2 * WEIGHTS
    assert disk["checkpoint_bytes"] == 4 * WEIGHTS
    whole = disk["corpus_bytes"] + disk["tokens_bytes"] + disk["model_bytes"]
    assert disk["total_bytes"] == 2 * whole + 3 * disk["checkpoint_bytes"]


@pytest.mark.parametrize(("horizon", "steps", "epochs"), [("tokens", 4, 16 / 23), ("epochs", 12, 48 / 23)])
@pytest.mark.usefixtures("given")
def test_every_horizon_ends_in_steps(tmp_path: Path, horizon: str, steps: int, epochs: float) -> None:
    publish_data(tmp_path, tokens=16 * 24 + 1, held_out=50)
    made = planned_for(tmp_path, train={"horizon": horizon, "tokens": 250, "epochs": 2.0})
    assert (made["steps"], made["epochs"]) == (steps, pytest.approx(epochs))


@pytest.mark.usefixtures("given")
def test_without_data_what_hangs_on_it_is_not_known_and_the_rest_is(tmp_path: Path) -> None:
    made = plan(tmp_path, params(train={"horizon": "epochs"}), vocab_size=None, seconds=None)
    unknown = ("steps", "tokens", "epochs", "flops", "tokens_per_parameter")
    assert [made[name] for name in unknown] == [None] * 5
    assert made["seconds"]["train"] is made["seconds"]["all"] is None
    assert made["parameters"]["total"] > 0
    assert "epochs are not known" in made["warnings"][0]
    assert "not known" in table(made)


@pytest.mark.usefixtures("given")
def test_a_reader_is_warned_of_what_will_not_go_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_data(tmp_path, tokens=17, held_out=10)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("", (), {"available": 1000}))
    monkeypatch.setattr("os.getloadavg", lambda: (3.0, 0.0, 0.0))
    warned = "\n".join(planned_for(tmp_path)["warnings"])
    assert "load 3.0" in warned
    assert "longer than the validation split of 10 tokens" in warned
    assert "48.0 epochs, little of it will be new" in warned
    assert "needs 118 kB of memory where 1.00 kB are free: try a smaller model" in warned


@pytest.mark.usefixtures("given")
def test_the_part_of_a_batch_that_fits_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_data(tmp_path, tokens=5000, held_out=500)

    def by_sequences(model: object, train: TrainConfig, *_: object, **__: object) -> Memory:
        return dataclasses.replace(MEMORY, heap_bytes=10_000 * (train.micro_batch_size or train.batch_size))

    monkeypatch.setattr(module, "memory", by_sequences)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("", (), {"available": 125_000}))
    (warned,) = planned_for(tmp_path)["warnings"]
    assert "needs 140 kB of memory where 125 kB are free: train.micro_batch_size = 2 fits" in warned


@pytest.mark.usefixtures("given")
def test_of_several_processes_each_takes_its_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_data(tmp_path, tokens=5000, held_out=500)
    sizes: list[int] = []
    monkeypatch.setattr(module, "pace", lambda size, _, **__: sizes.append(size.train.batch_size) or PACE)
    raw = params(tokenizer=CHARACTERS)
    raw["train"] |= {"processes": 2, "sharding": "fsdp"}
    alone, made = (
        plan(tmp_path, each, vocab_size=None, seconds=None) for each in (params(tokenizer=CHARACTERS), raw)
    )
    assert sizes == [4, 2]
    assert made["memory"]["peak_bytes"] == 2 * alone["memory"]["peak_bytes"]
    assert made["seconds"]["validation"] == alone["seconds"]["validation"] / 2
    assert made["seconds"]["tokens_per_second"] == alone["seconds"]["tokens_per_second"]
    assert "2 processes" in table(made)
    assert any("train.sharding is fsdp" in line for line in made["warnings"])


@pytest.mark.usefixtures("given")
def test_enough_of_everything_is_no_warning(tmp_path: Path) -> None:
    publish_data(tmp_path, tokens=5000, held_out=500)
    made = planned_for(tmp_path)
    assert made["warnings"] == []
    assert "\n!" not in table(made)


@pytest.mark.usefixtures("given")
def test_what_was_measured_stands_beside_what_is_predicted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_data(tmp_path, tokens=5000, held_out=500)
    monkeypatch.setattr(planned, "measured", lambda *_: {"fit_seconds": 10.5, "peak_bytes": 236_000.0})
    shown = table(planned_for(tmp_path))
    assert "the last run of these parameters" in shown
    assert "10.5 s   0.50 of what is predicted now" in shown
    assert "236 kB   2.00 of what is predicted now" in shown


def test_the_command_prints_json_and_keeps_what_it_predicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = params(tokenizer=CHARACTERS)
    path = tmp_path / "other.yaml"
    with path.open("w") as file:
        ruamel.yaml.YAML().dump(raw, file)
    show(tmp_path, path, as_json=True, vocab_size=65, seconds=None)
    made = json.loads(capsys.readouterr().out)
    assert made["vocabulary"] == {"entries": 65, "from": "--vocab-size"}
    assert made["seconds"]["basis"] == "measured"
    assert made["memory"]["peak_bytes"] > made["memory"]["heap_bytes"] > made["memory"]["step_bytes"]
    actual = {"fit_seconds": made["seconds"]["train"], "peak_bytes": 2.0 * made["memory"]["peak_bytes"]}
    tags = planned.compared(tmp_path, read_params(path), actual)
    assert tags["plan.fit_seconds"].endswith("ratio 1.00")
    assert tags["plan.peak_bytes"].endswith("ratio 2.00")
