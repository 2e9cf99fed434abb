"""The device, set up so that the same run gives the same bits, and the fingerprint within which it does."""

import ctypes
import os
import platform
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reprolm.errors import Exit, refuse

# cuBLAS is deterministic only with a fixed workspace, and reads this when it starts
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
VARIABLES = (
    "ATEN_CPU_CAPABILITY", "CUBLAS_WORKSPACE_CONFIG", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "OMP_DYNAMIC",
    "ONEDNN_MAX_CPU_ISA",
)  # fmt: skip
"""What in the environment chooses other code paths."""


M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
"""Settings of glibc's `mallopt`."""


def _keep_memory() -> None:
    """Keeps large blocks that were freed.

    glibc gives them back to the system and gets them again, page by page, at every step: a third of the
    time of a small model with a vocabulary of 4,096 (`benchmarks/memory.py`). It changes no bits. One heap
    serves all threads: what one has freed, another takes.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_MAX, 0)
        library.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        library.mallopt(M_ARENA_MAX, 1)


def device(threads: int, index: int = 0) -> torch.device:
    """The best device (CUDA, MPS, CPU), with deterministic algorithms and a fixed number of CPU threads.

    Of several GPUs it is number `index`.

    Raises:
        ReprolmError: there are fewer GPUs (exit 2).
    """
    _keep_memory()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # 3 % of a step
    if not torch.cuda.is_available():
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if index >= (count := torch.cuda.device_count()):
        what, want = "needs a GPU for each process", f"at most {count}"
        raise refuse("train.processes", what, got=index + 1, want=want, exit=Exit.PARAMETERS)
    torch.cuda.set_device(index)
    return torch.device("cuda")


def computes_in(precision: str, on: torch.device) -> bool:
    """Whether a device has instructions for `train.precision`; without them it is computed slowly."""
    if precision == "float32":
        return True
    if on.type == "cuda":
        return precision == "float16" or torch.cuda.is_bf16_supported()
    found = torch.cpu.get_capabilities()
    if on.type != "cpu" or found.get("architecture") != "x86_64":
        return True
    word = {"bfloat16": "bf16", "float16": "fp16"}[precision]
    return any(there for name, there in found.items() if word in name)


def slow_precision(precision: str, on: torch.device) -> str:
    """What to know of a `train.precision` that a device has no instructions for, nothing of others."""
    if computes_in(precision, on):
        return ""
    return f"this {on.type.upper()} has no {precision} of its own: train.precision: float32 is faster"


def peak_bytes(on: torch.device) -> int:
    """The most memory so far: of tensors on a GPU, else of this process."""
    if on.type == "cuda":
        return torch.cuda.max_memory_allocated(on)
    status = Path("/proc/self/status")
    if status.is_file():
        # not `ru_maxrss`, which a process inherits from the one that started it
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


PEAK_TFLOPS = {
    # by the makers' sheets, dense: float32 outside tensor cores; bfloat16 and float16 in them
    "H200": (67.0, 989.0), "H100 PCIe": (51.0, 756.0), "H100": (67.0, 989.0), "A100": (19.5, 312.0),
    "L40S": (91.6, 362.0), "L4": (30.3, 121.0), "A10G": (35.0, 70.0), "V100": (15.7, 125.0),
    "T4": (8.1, 65.0),
}  # fmt: skip
"""Operations a second by what a device's name contains, in 10¹²; the first that fits counts."""


def peak_flops(on: torch.device, dtype: torch.dtype) -> float | None:
    """The most operations a second that a device can do in a type; None where that is unknown."""
    if on.type != "cuda":
        return None
    words = torch.cuda.get_device_name(on).replace("-", " ")
    plain, half = next((peak for name, peak in PEAK_TFLOPS.items() if name in words), (0.0, 0.0))
    return 1e12 * (plain if dtype == torch.float32 else half) or None


def fingerprint(on: torch.device, threads: int) -> dict[str, Any]:
    """Everything about machine and versions that changes bits; runs of one fingerprint are byte-identical."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "cuda": torch.version.cuda if on.type == "cuda" else None,
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name(on) if on.type == "cuda" else on.type,
        "threads": threads,
        "environment": {name: os.environ.get(name) for name in VARIABLES},
    }


def _processor() -> str:
    """The maker and the kind of the processor: libraries choose by them."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    vendor = next((line.split(":")[1].strip() for line in lines if line.startswith("vendor_id")), "")
    return f"{vendor} {platform.machine()}".strip()
