"""What in a plan its reader should know before it is carried out."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from reprolm.device import slow_precision
from reprolm.plan.found import Found
from reprolm.plan.pace import Size
from reprolm.quantities import amount

REPEATED = 4
"""Epochs up to which text that is read again teaches nearly as much as new (arXiv:2305.16264)."""
BUSY = 0.5
"""Processes more than there are cores that are let pass."""


def warnings(plan: Mapping[str, Any], size: Size, data: Found) -> Iterator[str]:
    """A line each."""
    yield from _of_data(plan, size, data)
    needed, free = plan["memory"]["peak_bytes"], plan["memory"]["free_bytes"]
    if needed > free:
        fits = plan["fitting_micro_batch_size"]
        remedy = f"train.micro_batch_size = {fits} fits" if fits else "try a smaller model"
        yield f"needs {amount(needed)} of memory where {amount(free)} are free: {remedy}"
    needed, free = plan["disk"]["total_bytes"], plan["disk"]["free_bytes"]
    if needed > free:
        yield f"needs {amount(needed)} on disk where {amount(free)} are free"
    busy, cores = plan["threads"] * size.train.processes, os.cpu_count() or 1
    if plan["device"] == "cpu" and size.train.processes > 1 and busy > cores:
        yield f"{size.train.processes} processes of {plan['threads']} threads share {cores} cores"
    elif plan["device"] == "cpu" and plan["load"] + busy > cores + BUSY:
        yield f"the machine is busy (load {plan['load']:.1f}): training alone on it will be faster"
    if size.train.processes > 1:
        yield "the parts of memory are of one process; what processes tell each other takes time besides"
        if size.train.sharding == "fsdp":
            yield "train.sharding is fsdp: the plan is of processes that hold all tensors"
    if slow := slow_precision(size.train.precision, torch.device(plan["device"])):
        yield slow
    if size.train.compile:
        yield "train.compile is on: the plan is of the same run without it"


def _of_data(plan: Mapping[str, Any], size: Size, data: Found) -> Iterator[str]:
    length = size.model.context_length
    if data.training is None or data.validation is None:
        yield "data/tokens is not there for these parameters (dvc repro encode): epochs are not known"
        return
    for split in (data.training, data.validation):
        if len(split) <= length:
            yield (
                f"model.context_length = {length:,} is longer than the {split.split} split of "
                f"{len(split):,} tokens: training will refuse it"
            )
    if (plan["epochs"] or 0) > 1:
        judged = "little of it will be new" if plan["epochs"] > REPEATED else "some of it will be read again"
        yield f"the train split is smaller than the horizon: {plan['epochs']:.1f} epochs, {judged}"
