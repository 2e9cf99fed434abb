"""The device: what it tells of itself."""

import subprocess
import sys

import numpy as np

PROCESS = """
import torch
from reprolm.device import peak_bytes
print(peak_bytes(torch.device("cpu")))
"""


def test_a_process_does_not_count_the_memory_of_the_one_that_started_it() -> None:
    here = np.ones(200 * 2**20)  # 1.6 GB
    there = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True, check=True)
    assert 50e6 < int(there.stdout) < here.nbytes
