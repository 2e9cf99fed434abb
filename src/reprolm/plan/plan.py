"""The plan of a run: everything that `reprolm plan` says, as one nested mapping."""

import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from reprolm.config import section
from reprolm.data.batches import Batches
from reprolm.device import device as chosen_device
from reprolm.model.config import ModelConfig
from reprolm.model.count import flops_per_token, parameters
from reprolm.model.transformer import Transformer
from reprolm.params import acting
from reprolm.plan.around import Around, around
from reprolm.plan.fitting import fitting, free_bytes
from reprolm.plan.found import Found, found
from reprolm.plan.memory import Memory, memory
from reprolm.plan.pace import Pace, Size, pace
from reprolm.plan.process import process_bytes
from reprolm.plan.warnings import warnings
from reprolm.tracking import planned
from reprolm.train.checkpoint import KEPT
from reprolm.train.config import TrainConfig

CHINCHILLA_TOKENS_PER_PARAMETER = 20
"""Compute-optimal, about (Hoffmann et al. 2022, arXiv:2203.15556)."""
Plan = dict[str, Any]


def plan(root: Path, params: Mapping[str, Any], *, vocab_size: int | None, seconds: float | None) -> Plan:
    """What training with these parameters takes here; None where data that is not there would tell.

    Raises:
        ReprolmError: parameters are wrong, or nothing says how large the vocabulary is (exit 2).
    """
    acting(params)
    data = found(root, params, vocab_size)
    size = Size(section(params, "model", ModelConfig), section(params, "train", TrainConfig), data.vocab_size)
    device = chosen_device(params["threads"])
    load = os.getloadavg()[0]
    alone = process_bytes(device)
    whole = needed(size, device, params["threads"])
    speed = pace(size.part, device, threads=params["threads"])
    horizon = _horizon(size, data)
    result: Plan = {
        "device": device.type,
        "threads": params["threads"],
        "processes": size.train.processes,
        "load": load,
        "vocabulary": {"entries": data.vocab_size, "from": data.vocabulary},
        **_size(size, horizon),
        "memory": _memory(whole, alone, device, size.train.processes),
        "fitting_micro_batch_size": None,
        "seconds": _seconds(size, data, horizon["steps"], speed),
        "disk": _disk(data, whole),
    }
    _add_around(result["seconds"], around(root))
    kept = result["memory"]
    if kept["peak_bytes"] > kept["free_bytes"]:

        def peak(sequences: int) -> int:
            part = needed(size, device, params["threads"], sequences)
            return int(_memory(part, alone, device, size.train.processes)["peak_bytes"])

        rows = size.part.train.batch_size
        result["fitting_micro_batch_size"] = fitting(peak, rows, kept["free_bytes"])
    if seconds is not None:
        result["seconds"] |= {"given": seconds, "steps_in_given": _fitting(result["seconds"], seconds, size)}
    result["actual"] = planned.measured(root, params) or None
    return result | {"warnings": list(warnings(result, size, data))}


def _horizon(size: Size, data: Found) -> dict[str, Any]:
    """Steps, tokens and epochs of the run, None where they hang on data that is not there."""
    train, length = size.train, size.model.context_length
    epoch_steps = None
    if data.training is not None and len(data.training) > length:
        windows = Batches(data.training, train.batch_size, length, 0, laid=train.windows).windows
        epoch_steps = windows / train.batch_size
    steps = None
    if train.horizon != "epochs" or epoch_steps is not None:
        steps = train.total_steps(size.tokens, epoch_steps or 0)
    return {
        "steps": steps,
        "step_tokens": size.tokens,
        "tokens": None if steps is None else steps * size.tokens,
        "train_split_tokens": None if data.training is None else len(data.training),
        "epochs": None if steps is None or epoch_steps is None else steps / epoch_steps,
    }


def _size(size: Size, horizon: Mapping[str, Any]) -> Plan:
    """Parameters, operations, and how both compare with the tokens."""
    with torch.device("meta"):
        model = Transformer(size.model, size.vocab_size)
    counts, flops = parameters(model), flops_per_token(model)
    tokens = horizon["tokens"]
    return {
        "parameters": counts,
        **horizon,
        "flops_per_token": flops,
        "flops": None if tokens is None else flops * tokens,
        "tokens_per_parameter": None if tokens is None else tokens / counts["total"],
        "chinchilla_tokens": CHINCHILLA_TOKENS_PER_PARAMETER * counts["total"],
    }


def needed(size: Size, device: torch.device, threads: int, sequences: int | None = None) -> Memory:
    """The memory of one process, with so many sequences at once."""
    train = size.part.train
    if sequences is not None:
        train = train.model_copy(update={"micro_batch_size": sequences})
    return memory(size.model, train, size.vocab_size, device, threads=threads)


def _memory(needed: Memory, alone: int, device: torch.device, processes: int) -> Plan:
    """All parts, the whole, and what there is of it: on a GPU for each process, else for all together."""
    free = free_bytes(device)
    if device.type == "cuda":
        return asdict(needed) | {"process_bytes": 0, "peak_bytes": needed.heap_bytes, "free_bytes": free}
    peak = processes * (alone + needed.heap_bytes)
    return asdict(needed) | {"process_bytes": alone, "peak_bytes": peak, "free_bytes": free}


def _seconds(size: Size, data: Found, steps: int | None, speed: Pace) -> Plan:
    """Seconds of the run: its steps, and its looks at the validation split."""
    train = size.train
    share = speed.validation_token_seconds / train.processes
    look = None if data.validation is None else len(data.validation) * share
    looks = None if steps is None else math.ceil(steps / train.validate_every_steps)
    stepping = None if steps is None else steps * speed.step_seconds
    validating = None if look is None or looks is None else look * looks
    return {
        "basis": speed.basis,
        "step": speed.step_seconds,
        "tokens_per_second": size.tokens / speed.step_seconds,
        "validation": validating,
        "one_validation": look,
        "steps": stepping,
        "train": None if stepping is None else stepping + (validating or 0.0),
    }


def _add_around(seconds: Plan, beside: Around) -> None:
    """What an experiment takes besides training, where the data are there, and all of it."""
    trains = seconds["train"]
    whole = None if trains is None else trains + beside.seconds
    seconds |= {"around": beside.seconds, "around_basis": beside.basis, "all": whole}


def _fitting(predicted: Mapping[str, Any], seconds: float, size: Size) -> int:
    """The steps that fit into a time, with the looks at the validation split that are due in it."""
    look = predicted["one_validation"] or 0.0
    return int(seconds / (predicted["step"] + look / size.train.validate_every_steps))


def _disk(data: Found, needed: Memory) -> Plan:
    """What lies on disk when all is done, DVC's copies apart, and the checkpoints until then."""
    tokens = data.tokens_bytes
    model = 2 * needed.gradients_bytes  # the best and the last weights
    checkpoint = model + sum(needed.optimizer_bytes.values()) + needed.average_bytes
    known = sum(part or 0 for part in (data.corpus_bytes, tokens, model))
    return {
        "corpus_bytes": data.corpus_bytes,
        "tokens_bytes": tokens,
        "model_bytes": model,
        "checkpoint_bytes": checkpoint,
        "checkpoints_kept": KEPT,
        # a new one is whole before the oldest goes; DVC keeps what it has made a second time
        "total_bytes": 2 * known + (KEPT + 1) * checkpoint,
        "free_bytes": shutil.disk_usage(Path.cwd()).free,
    }
