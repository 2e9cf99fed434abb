"""What a sweep says at its end."""

from pathlib import Path

import pytest

from reprolm.sweep.command import _sum_up


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "sqlite:///{}/text"])
def test_a_sweep_ends_well_where_nothing_can_be_compared_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    (tmp_path / "text").write_text("no database" * 1000)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address.format(tmp_path))
    _sum_up(tmp_path, ["seed=1", "seed=2"])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"not compared yet: {address.format(tmp_path)}: does not answer")
    assert line.endswith("later: reprolm compare seed=1 seed=2")
