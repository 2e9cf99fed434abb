"""`reprolm verify`: where two runs part, and why."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from reprolm.cli import app
from reprolm.diagnose.compare import compare
from reprolm.tracking.kept import kept
from reprolm.train.loop import Trainer
from reprolm.train.publish import publish_record
from tests.train.runs import Memory, run


def trained(tmp_path: Path, name: str, **changes: Any) -> Path:
    trainer = Trainer(run(tmp_path, **changes), tmp_path / f"run-{name}", Memory())
    trainer.fit()
    publish_record(trainer, tmp_path / name)
    return tmp_path / name


def verdict(a: Path, b: Path) -> tuple[bool, tuple[str, ...]]:
    found = compare(kept(a, str(a)), kept(b, str(b)))
    return found.same, found.lines


def test_two_runs_of_the_same_are_the_same_however_often_they_looked(tmp_path: Path) -> None:
    a, b = trained(tmp_path, "a"), trained(tmp_path, "b", log_every_steps=5, checkpoint_every_steps=4)
    assert verdict(a, a) == (True, (
        "batches: the same at steps 0, 10, 12", "losses: the same in 12 steps",
        "weights: the same at steps 0, 10, 12", "everything that they were made from is the same",
    ))  # fmt: skip
    same, lines = verdict(a, b)
    assert same
    assert lines[3:] == ("params differ: train.log_every_steps 1 | 5",)


def test_another_rate_parts_after_its_first_step(tmp_path: Path) -> None:
    same, lines = verdict(trained(tmp_path, "a"), trained(tmp_path, "b", learning_rate=0.02))
    assert not same
    assert lines[0] == "batches: the same at steps 0, 10, 12"
    assert lines[1].startswith("losses: differ from step 2 on (loss ")
    assert lines[2:] == (
        "weights: the same at step 0, differ at step 10",
        "params differ: train.learning_rate 0.03 | 0.02",
    )


def test_other_data_parts_at_the_first_batch_and_a_shorter_run_where_it_ends(tmp_path: Path) -> None:
    a, b = trained(tmp_path, "a"), trained(tmp_path, "b", windows="padded")
    assert verdict(a, b)[1][0] == "batches: differ at step 0"
    c = trained(tmp_path, "c", steps=10, schedule="constant")
    same, lines = verdict(trained(tmp_path, "d", schedule="constant"), c)
    assert not same
    assert lines[:3] == (
        "batches: the same at steps 0, 10", "losses: the same up to step 10, where one run ends",
        "weights: the same at steps 0, 10",
    )  # fmt: skip


def test_the_command_says_so_and_its_exit_code_too(tmp_path: Path) -> None:
    a = trained(tmp_path, "a")
    b = tmp_path / "b"
    b.mkdir()
    certificate = json.loads((a / "certificate.json").read_text())
    certificate["versions"]["torch"] = "1.0"
    certificate["steps"]["12"]["weights"] = "0"
    (b / "certificate.json").write_text(json.dumps(certificate))
    (b / "steps.csv").write_bytes((a / "steps.csv").read_bytes())
    told = CliRunner().invoke(app, ["verify", str(a), str(b)])
    assert told.exit_code == 1
    assert "weights: the same at steps 0, 10, differ at step 12" in told.output
    assert "versions differ: torch" in told.output
    assert CliRunner().invoke(app, ["verify", str(a), str(a)]).exit_code == 0
