"""Checkpoints of trainings that were never finished: named with their size, removed on demand."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from reprolm.errors import ReprolmError
from reprolm.store import locked, prune, read_json
from reprolm.tracking.lineage import NUMERIC, lineage_of_machine
from reprolm.tracking.location import checkpoints
from reprolm.train.begun import KEY


@dataclass(frozen=True)
class Leftover:
    """Checkpoints: how far they came, their size, and what they were made with that is not here."""

    directory: Path
    step: int
    bytes: int
    other: tuple[str, ...]

    def __str__(self) -> str:
        why = f", of {', '.join(self.other)}: is never resumed here" if self.other else ""
        return f"{self.directory.name}: step {self.step:,}, {self.bytes / 1e6:,.1f} MB{why}"


def _other(directory: Path) -> tuple[str, ...]:
    """The versions in a fingerprint that are not those of this environment."""
    try:
        known = read_json(directory / KEY)["fingerprint"]
    except ReprolmError:
        return ()
    here = lineage_of_machine()
    pairs = [(name, known.get(name), here.get(f"version.{name}")) for name in NUMERIC]
    return tuple(
        f"{name} {then}"
        for name, then, now in pairs
        if then and now and then.split("+")[0] != now.split("+")[0]
    )


def leftovers(root: Path) -> list[Leftover]:
    """The unfinished trainings of a repository, one that a process is at among them; the largest first."""
    found = []
    for directory in checkpoints(root).glob("[!.]*"):
        if not directory.is_dir() or not any(directory.glob("*")):
            continue
        steps = [int(path.name.split("-")[1]) for path in directory.glob("step-*") if path.name[5:].isdigit()]
        size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
        found.append(Leftover(directory, max(steps, default=0), size, _other(directory)))
    return sorted(found, key=lambda each: -each.bytes)


def clean(root: Path, *, remove: bool) -> list[Leftover]:
    """Prints the unfinished trainings; removes those that no process is at if asked to, and returns them."""
    removed = []
    for each in leftovers(root):
        print(each)
        if remove:
            with contextlib.suppress(ReprolmError), locked(each.directory):
                prune(each.directory)
                removed.append(each)
    total = sum(each.bytes for each in (removed if remove else leftovers(root)))
    what = "removed" if remove else "in unfinished trainings, each resumed by the same dvc repro"
    print(
        f"clean: {total / 1e6:,.1f} MB {what}" + ("" if remove or not total else "; reprolm clean --remove")
    )
    return removed
