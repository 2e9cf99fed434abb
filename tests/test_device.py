"""The device: what it tells of itself."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from reprolm.device import device, fingerprint

PROCESS = """
import torch
from reprolm.device import peak_bytes
print(peak_bytes(torch.device("cpu")))
"""


def test_a_process_does_not_count_the_memory_of_the_one_that_started_it() -> None:
    here = np.ones(200 * 2**20)  # 1.6 GB
    there = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True, check=True)
    assert 50e6 < int(there.stdout) < here.nbytes


@pytest.mark.parametrize(("mps", "kind"), [(True, "mps"), (False, "cpu")])
def test_where_no_gpu_is_the_next_best_is_taken(
    mps: bool, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert device(torch.get_num_threads()).type == kind
    assert fingerprint(torch.device(kind), 1)["device"] == kind
