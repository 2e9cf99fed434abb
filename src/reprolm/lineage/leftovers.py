"""Checkpoints of trainings that were never finished: named with their size, removed on demand."""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reprolm.config import read_params
from reprolm.errors import ReprolmError
from reprolm.store import directory_digest, locked, prune, read_json
from reprolm.tracking.location import checkpoints
from reprolm.train.begun import KEY, differences, last_step, told

SET_BY_STAGES = {"OMP_DYNAMIC": "false"}
"""What a stage puts into its environment before it computes."""


@dataclass(frozen=True)
class Leftover:
    """Checkpoints: how far they came, their size, and what they were made with that is another now."""

    directory: Path
    step: int
    bytes: int
    other: tuple[str, ...] | None = None
    """None: it is not known what they were made with, or what a training would be made with now."""

    def __str__(self) -> str:
        why = "" if self.other is None else ": dvc repro goes on from it"
        if self.other:
            why = f": not resumed as things are, for it had {told(list(self.other))}"
        return f"{self.directory.name}: step {self.step:,}, {self.bytes / 1e6:,.1f} MB{why}"


def present(root: Path) -> dict[str, Any]:
    """What a training would be made with that `dvc repro` begins now; `data` is empty where there is none.

    Raises:
        ReprolmError: `params.yaml` cannot be read, or one line for each thing that is wrong (exit 2).
    """
    import torch

    from reprolm.device import device, fingerprint
    from reprolm.train.key import parts_of_params

    params = read_params(root / "params.yaml")
    bits = fingerprint(device(torch.get_num_threads()), params.get("threads", 1))
    bits["environment"] |= SET_BY_STAGES
    data = ""
    with contextlib.suppress(ReprolmError):
        data = directory_digest(root / "data" / "tokens")
    return parts_of_params(params, data, bits)


def _other(directory: Path, now: dict[str, Any]) -> tuple[str, ...] | None:
    """What checkpoints were made with that is another now; of data not here nothing is said."""
    try:
        then = read_json(directory / KEY)
        return tuple(differences(then, now | {"data": now["data"] or then["data"]}))
    except (ReprolmError, KeyError):
        return None


def leftovers(root: Path) -> list[Leftover]:
    """The unfinished trainings of a repository, one that a process is at among them; the largest first."""
    found = []
    for directory in checkpoints(root).glob("[!.]*"):
        if not directory.is_dir() or not any(directory.glob("*")):
            continue
        size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
        found.append(Leftover(directory, last_step(directory), size))
    return sorted(found, key=lambda each: -each.bytes)


def compared(found: list[Leftover], now: dict[str, Any]) -> list[Leftover]:
    """The same, with what is another now."""
    return [replace(each, other=_other(each.directory, now)) for each in found]


def _explained(root: Path) -> list[Leftover]:
    """The unfinished trainings, and why one is not gone on from, where that can be told."""
    found = leftovers(root)
    try:
        return compared(found, present(root)) if found else []
    except ReprolmError as error:
        print(f"clean: what dvc repro would go on from is not known: {error}")
        return found


def clean(root: Path, *, remove: bool) -> list[Leftover]:
    """Prints the unfinished trainings; removes those that no process is at if asked to, and returns them."""
    removed = []
    found = _explained(root)
    for each in found:
        print(each)
        if remove:
            with contextlib.suppress(ReprolmError), locked(each.directory):
                prune(each.directory)
                removed.append(each)
    total = sum(each.bytes for each in (removed if remove else found)) / 1e6
    goes_on = sum(each.other == () for each in found)
    what = (
        "removed" if remove else f"in unfinished trainings; dvc repro goes on from {goes_on} of {len(found)}"
    )
    print(f"clean: {total:,.1f} MB {what}" + ("" if remove or not found else "; reprolm clean --remove"))
    return removed
