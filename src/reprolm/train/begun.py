"""What a training was begun with, kept beside its checkpoints: why another one cannot go on from them."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from reprolm.errors import ReprolmError, shown
from reprolm.store import locked, publish_json, read_json
from reprolm.train.finished import MARK

KEY = "key.json"
TOLD = 3
"""Differences that a line names."""


def begin(directory: Path, parts: dict[str, Any]) -> None:
    """Notes in a run's directory of checkpoints what it is made with, and says why it starts anew if it does.

    What it may have published before, DVC has not recorded.
    """
    if not last_step(directory) and (line := _why_anew(directory, parts)):
        print(line, flush=True)
    publish_json(directory / KEY, parts)
    (directory / MARK).unlink(missing_ok=True)


def last_step(directory: Path) -> int:
    """The step of the newest checkpoint, 0 if there is none."""
    numbers = (path.name.removeprefix("step-") for path in directory.glob("step-*"))
    return max((int(number) for number in numbers if number.isdigit()), default=0)


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """In words, how the parts of two keys differ; the environment first, for its change is seen least.

    Options that only one has are those of a word in which they differ, or of other code.
    """
    one, other = dict(_flat(then)), dict(_flat(now))
    return [
        f"other {name}"
        if name in ("code", "data")
        else f"another {name} ({shown(one[name])}, now {shown(other[name])})"
        for name in other
        if name in one and one[name] != other[name]
    ]


def told(found: list[str]) -> str:
    """The first of some differences."""
    more = f" and {len(found) - TOLD} more" if len(found) > TOLD else ""
    return ", ".join(found[:TOLD]) + more


def _flat(parts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each thing that a key is made of, by the name under which its reader knows it."""
    bits = dict(parts["fingerprint"])
    bits = {
        name: "unset" if value is None else value for name, value in (bits.pop("environment") | bits).items()
    }
    own = {name: parts[name] for name in ("seed", "data", "code")}
    groups = (("", bits), ("model.", parts["model"]), ("train.", parts["train"]), ("", own))
    for prefix, values in groups:
        for name, value in values.items():
            yield prefix + name, value if isinstance(value, str) else json.dumps(value)


def _why_anew(directory: Path, parts: dict[str, Any]) -> str:
    """The line that tells how this training differs from the most similar one that nobody has finished."""
    found = []
    for path in sorted(directory.parent.glob(f"[!.]*/{KEY}")):
        step = last_step(path.parent)
        if path.parent == directory or not step or (path.parent / MARK).exists():
            continue
        # one that a process is at, as where a sweep trains some side by side, did not stop
        with suppress(ReprolmError), locked(path.parent):
            found.append((differences(read_json(path), parts), step))
    if not found:
        return ""
    nearest, step = min(found, key=lambda each: (len(each[0]), -each[1]))
    return f"train: starts anew: the training that stopped after step {step:,} had {told(nearest)}"
