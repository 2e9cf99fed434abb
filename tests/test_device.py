"""The device: what it tells of itself."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from reprolm.device import computes_in, device, fingerprint

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


@pytest.mark.parametrize(
    ("precision", "there", "fast"),
    [
        ("float32", {}, True),
        ("bfloat16", {"avx512_bf16": True}, True),
        ("bfloat16", {"avx512_bf16": False}, False),
        ("float16", {"avx512_bf16": True, "amx_fp16": False}, False),
    ],
)
def test_a_cpu_computes_fast_in_what_it_has_instructions_for(
    precision: str, there: dict[str, bool], fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "x86_64"} | there)
    assert computes_in(precision, torch.device("cpu")) is fast
