"""What a sweep will take: the plans of its experiments together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reprolm.config import section
from reprolm.errors import ReprolmError
from reprolm.plan.plan import plan
from reprolm.processes import cores
from reprolm.progress import Progress
from reprolm.quantities import amount, duration
from reprolm.store import digest
from reprolm.sweep.cells import Cell
from reprolm.tokenizers.config import TokenizerConfig

TRAINING = ("data.", "tokenizer.", "encode.", "model.", "train.", "seed", "threads")
CHARACTERS = 100
"""Taken for the entries of a vocabulary of characters, before a text is there of which they are counted."""
LENGTH = ("train.epochs",)
"""Numbers with a fraction that change how long training takes; the others are rates and shares."""


@dataclass(frozen=True)
class Cost:
    """Of all experiments, one after the other and as they share the machine; None: not known."""

    trainings: int
    seconds: float | None
    disk_bytes: int | None
    plan: Mapping[str, Any]
    unknown: list[str] = field(default_factory=list)


def training(cell: Cell) -> Mapping[str, Any]:
    """What decides a cell's model: cells that share it train once."""
    return {key: value for key, value in cell.acting.items() if key.startswith(TRAINING)}


def pace_of(cell: Cell) -> str:
    """Equal for cells that train equally long: seeds, rates and shares apart."""
    rates = {
        key
        for key, value in cell.acting.items()
        if key.startswith("train.") and isinstance(value, float) and key not in LENGTH
    }
    taken = {key: value for key, value in training(cell).items() if key not in rates | {"seed"}}
    return digest(taken)


def cost(root: Path, cells: Sequence[Cell], jobs: int) -> Cost:
    """The plan of each model and length once, added up over the trainings."""
    plans: dict[str, Mapping[str, Any]] = {}
    unknown: dict[str, None] = {}
    models = {digest(training(cell)): cell for cell in cells}
    lengths = {pace_of(cell): cell for cell in models.values()}
    with Progress("plan", len(lengths), "models") as progress:
        for length, cell in lengths.items():
            try:
                plans[length], guessed = _planned(root, cell)
                unknown |= dict.fromkeys(guessed)
            except ReprolmError as error:
                unknown |= dict.fromkeys(map(str, error.problems))
            progress.advance()
    each = [plans.get(pace_of(cell)) for cell in models.values()]
    seconds = [made["seconds"]["train"] for made in each if made is not None]
    known = [value for value in seconds if value is not None]
    most = max(plans.values(), key=lambda made: made["memory"]["peak_bytes"], default={})
    whole = None
    if known and len(known) == len(models):
        around = most["seconds"]["around"] * len(cells) / max(1, min(jobs, len(cells), cores()))
        whole = sum(known) / at_once(most, jobs, len(models)) + around
    return Cost(
        trainings=len(models),
        seconds=whole,
        disk_bytes=_disk([made for made in each if made is not None], jobs) if plans else None,
        plan=most,
        unknown=list(unknown),
    )


def _planned(root: Path, cell: Cell) -> tuple[Mapping[str, Any], list[str]]:
    """The plan of an experiment, and what was guessed for it."""
    try:
        return plan(root, cell.params, vocab_size=None, seconds=None), []
    except ReprolmError:
        if section(cell.params, "tokenizer", TokenizerConfig).known_size is not None:
            raise
    guessed = f"the characters of the text are not counted yet: planned with {CHARACTERS}"
    return plan(root, cell.params, vocab_size=CHARACTERS, seconds=None), [guessed]


def at_once(made: Mapping[str, Any], jobs: int, trainings: int) -> int:
    """How many trainings go on as fast as one alone; one device of another kind is shared."""
    apart = max(1, cores() // made.get("threads", 1)) if made.get("device") == "cpu" else 1
    return max(1, min(jobs, trainings, apart))


def _disk(plans: Sequence[Mapping[str, Any]], jobs: int) -> int:
    """Each model in DVC's cache, and while it is trained its checkpoints and the copy in its workspace."""
    disks = [made["disk"] for made in plans]
    models = [disk["model_bytes"] for disk in disks]
    passing = [
        disk["model_bytes"] + (disk["checkpoints_kept"] + 1) * disk["checkpoint_bytes"] for disk in disks
    ]
    return int(sum(models) + sum(sorted(passing)[-jobs:]))


def told(found: Cost, count: int, jobs: int) -> Iterator[str]:
    """What there is to know before anything is queued, a line each."""
    time = "time not known"
    if found.seconds is not None:
        around = duration(found.plan["seconds"]["around"])
        time = f"about {duration(found.seconds)}, with {around} around each training"
    free = found.plan.get("disk", {}).get("free_bytes")
    disk = "disk not known" if found.disk_bytes is None else f"about {amount(found.disk_bytes)} of disk"
    free_disk = f" ({amount(free)} are free)" if free is not None else ""
    runs = f"{count} experiment{'s' * (count != 1)}, {min(jobs, count)} at a time"
    yield f"{runs}: {time}, {disk}{free_disk}"
    if found.trainings < count:
        yield f"  {found.trainings} of them train; the others take the same model from DVC's cache"
    yield from (f"! {line}" for line in found.unknown)
    if found.plan:
        yield from _warnings(found, min(jobs, found.trainings))


def _warnings(found: Cost, jobs: int) -> Iterator[str]:
    memory, disk = found.plan["memory"], found.plan["disk"]
    if jobs * memory["peak_bytes"] > memory["free_bytes"]:
        needed, free = amount(jobs * memory["peak_bytes"]), amount(memory["free_bytes"])
        yield f"! {jobs} at a time need {needed} of memory where {free} are free: try fewer --jobs"
    if found.disk_bytes is not None and found.disk_bytes > disk["free_bytes"]:
        yield f"! {amount(disk['free_bytes'])} of disk are free, which is less than that"
    threads = found.plan["threads"]
    if found.plan["device"] == "cpu" and jobs > 1 and jobs * threads > cores():
        yield f"! {jobs} jobs of {threads} threads share {cores()} cores, so that each is slower than alone"
