"""Which part of a batch fits into the memory that may be taken."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch

from reprolm.plan import fitting
from reprolm.plan.fitting import free_bytes

CPU = torch.device("cpu")
LIMITED = """
import resource, torch
from reprolm.plan.fitting import free_bytes
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
print(free_bytes(torch.device("cpu")))
"""


def test_without_limits_it_is_what_the_machine_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fitting, "CGROUP", tmp_path)
    assert free_bytes(CPU) == pytest.approx(psutil.virtual_memory().available, rel=0.1)


@pytest.mark.skipif(psutil.virtual_memory().available < 9 << 30, reason="the machine has less than the limit")
def test_a_limit_of_the_shell_counts() -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 8 << 30


@pytest.mark.parametrize(("most", "free"), [(str(3 << 20), (2 << 20) + 4096), ("max", None)])
def test_a_limit_of_a_container_counts(
    most: str, free: int | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, text in {"max": most, "current": str(1 << 20), "stat": "anon 1\ninactive_file 4096\n"}.items():
        (tmp_path / f"memory.{name}").write_text(text)
    monkeypatch.setattr(fitting, "CGROUP", tmp_path)
    found = free_bytes(CPU)
    assert found == free if free is not None else found > 1 << 28
