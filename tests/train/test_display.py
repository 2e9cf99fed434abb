"""The numbers beside the bar."""

from pathlib import Path
from typing import Any

import pytest
import torch

from reprolm.device import peak_flops
from reprolm.model.count import flops_per_token
from reprolm.progress import Progress
from reprolm.train.display import Display
from reprolm.train.loop import Trainer
from tests.train.runs import Memory, run

GPU = torch.device("cuda")
VALUES = {"train/loss": 3.25, "train/learning_rate": 0.01}


@pytest.mark.parametrize(
    ("name", "dtype", "teraflops"),
    [
        ("NVIDIA H100 PCIe", torch.bfloat16, 756.0), ("NVIDIA H100 80GB HBM3", torch.bfloat16, 989.0),
        ("NVIDIA A100-SXM4-40GB", torch.float32, 19.5), ("Tesla T4", torch.float16, 65.0),
    ],
)  # fmt: skip
def test_the_peak_of_a_known_device_is_that_of_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, dtype: torch.dtype, teraflops: float
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda on: name)
    assert peak_flops(GPU, dtype) == teraflops * 1e12


def test_of_an_unknown_device_and_of_a_cpu_no_share_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda on: "Another 9000")
    assert peak_flops(GPU, torch.bfloat16) is None
    trainer = Trainer(run(tmp_path), tmp_path / "a", Memory())
    shown = Display(trainer.run, trainer.tensors.model).shown(VALUES, 3.5)
    assert list(shown) == ["loss", "best", "lr", "memory"]
    assert trainer._display.utilisation(1000.0) == {}


def test_the_share_of_the_peak_is_operations_a_second_by_those_that_are_possible(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = Trainer(run(tmp_path), tmp_path / "a", Memory()).tensors.model
    monkeypatch.setattr("reprolm.train.display.peak_flops", lambda on, dtype: 2e9)
    display = Display(run(tmp_path), model)
    told = display.utilisation(5000.0)
    assert told["train/mfu"] == pytest.approx(5000 * flops_per_token(model) / 2e9)
    assert "MFU" in display.shown(VALUES | told, None)
    assert display.shown({"validation/loss": 3.0}, None) == {}


def test_numbers_stay_in_the_lines_until_they_are_given_anew(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("reprolm.progress.LINE_EVERY_SECONDS", 0.0)
    with Progress("train", 10, "tokens") as progress:
        progress.advance(1, loss=2.5)
        progress.advance(1)
        progress.say("train: something happened")
        progress.advance(1, loss=1.5, lr=0.1)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("loss ")[2] for line in lines] == ["2.5", "2.5", "", "1.5, lr 0.1"]
    assert lines[2] == "train: something happened"


def test_a_precision_that_the_device_has_no_instructions_for_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for there in (True, False):
        monkeypatch.setattr("reprolm.device.computes_in", lambda *_, there=there: there)
        Trainer(run(tmp_path, precision="bfloat16"), tmp_path / str(there), Memory()).fit()
        assert ("this CPU has no bfloat16 of its own" in capsys.readouterr().out) is not there
