"""The account of what a run's bits hang on, and of the bits, by which two runs are compared."""

from typing import Any

import torch

from reprolm.config import chosen
from reprolm.device import fingerprint
from reprolm.store import directory_digest
from reprolm.train.key import FREE, code_digest
from reprolm.train.watch import Watch

FORMAT = 1


def _flags(environment: dict[str, Any]) -> dict[str, Any]:
    """What switches other kernels on."""
    return environment | {
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "cudnn_allow_tf32": torch.backends.cudnn.allow_tf32,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
    }


def certificate(watch: Watch) -> dict[str, Any]:
    """The content of `certificate.json`: no clock, host or path, so that equal runs have equal ones."""
    run = watch.step.run
    bits = fingerprint(run.device, torch.get_num_threads())
    free = {f"train.{name}" for name in FREE}
    params = chosen(run.model, "model.") | {
        k: v for k, v in chosen(run.train, "train.").items() if k not in free
    }
    return {
        "format": FORMAT,
        "params": {"seed": run.seed} | params,
        "data": {"tokens": directory_digest(run.training.directory)},
        "code": {"sha256": code_digest()},
        "versions": {name: bits[name] for name in ("python", "torch", "numpy", "cuda")},
        "device": {name: bits[name] for name in ("device", "processor", "instructions", "threads")}
        | {"processes": run.world.size}
        | watch.step.forced,
        "flags": _flags(bits["environment"]),
        "steps": watch.stations,
    }
