"""What the page is made of: the small files that the other stages left, each of which may be missing."""

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reprolm.diagnose.events import Event
from reprolm.errors import Exit, refuse
from reprolm.store import MANIFEST, read_json, verified

Floats = npt.NDArray[np.float64]
Columns = dict[str, Floats]

MEASURED = ("download", "train_tokenizer", "encode", "train", "evaluate", "sample")
CURVES = "plots/train.csv"
EVALUATION = "reports/evaluate"
BY_POSITION = f"{EVALUATION}/by_position.csv"
SAMPLES = "reports/samples"
RECORD = "reports/train"
RANKS = "data/tokenizer/ranks.csv"


@dataclass(frozen=True)
class Sample:
    """A prompt and how the model continued it."""

    prompt: str
    text: str
    draw: int
    settings: dict[str, Any]


@dataclass(frozen=True)
class Inputs:
    """Everything found under the root; what is missing is empty."""

    metrics: dict[str, dict[str, Any]]
    curves: Columns
    by_position: Columns
    ranks: Columns
    samples: list[Sample]
    events: list[Event]
    steps: Columns


def gather(root: Path) -> Inputs:
    """Reads what is there.

    Raises:
        ReprolmError: a file is there but is not what its stage writes (exit 76).
    """
    metrics = {stage: _mapping(root / f"metrics/{stage}.json") for stage in MEASURED}
    for published in (EVALUATION, SAMPLES, RECORD):
        if (root / published / MANIFEST).is_file():
            verified(root / published)
    return Inputs(
        metrics={stage: numbers for stage, numbers in metrics.items() if numbers},
        curves=read_columns(root / CURVES),
        by_position=read_columns(root / BY_POSITION),
        ranks=read_columns(root / RANKS),
        samples=_samples(root / SAMPLES / "samples.json"),
        events=_events(root / RECORD / "events.jsonl"),
        steps=read_columns(root / RECORD / "steps.csv"),
    )


def _mapping(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    value = read_json(path)
    if not isinstance(value, dict):
        raise refuse(str(path), "has a wrong form", got=value, want="a mapping", exit=Exit.INTEGRITY)
    return value


def _number(cell: str | None) -> float:
    value = float(cell) if cell else math.nan
    return value if math.isfinite(value) else math.nan


def read_columns(path: Path) -> Columns:
    """The columns of a CSV file of numbers: NaN where a cell is empty or not finite, none for a missing file.

    Raises:
        ReprolmError: a cell is not a number (exit 76).
    """
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        names = [name for name in reader.fieldnames or [] if name]
        rows = []
        for row in reader:
            try:
                rows.append([_number(row[name]) for name in names])
            except ValueError as error:
                where = f"{path}:{reader.line_num}"
                raise refuse(where, "is not a row of numbers", got=str(error), exit=Exit.INTEGRITY) from error
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    return {name: table[:, column] for column, name in enumerate(names)}


def _events(path: Path) -> list[Event]:
    if not path.is_file():
        return []
    names = {field.name for field in fields(Event)}
    try:
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [Event(**{name: record[name] for name in names & set(record)}) for record in records]
    except (ValueError, TypeError) as error:
        raise refuse(str(path), "is not a list of events", got=error, exit=Exit.INTEGRITY) from error


def _samples(path: Path) -> list[Sample]:
    if not path.is_file():
        return []
    entries = read_json(path)
    for entry in entries if isinstance(entries, list) else [None]:
        found = [entry.get(key) for key in ("prompt", "text", "draw")] if isinstance(entry, Mapping) else []
        if [type(value) for value in found] != [str, str, int]:
            want = "a list of samples with prompt, text and draw"
            raise refuse(str(path), "has a wrong form", got=entry, want=want, exit=Exit.INTEGRITY)
    known = {"prompt", "text", "draw"}
    return [
        Sample(
            prompt=entry["prompt"],
            text=entry["text"],
            draw=entry["draw"],
            settings={key: setting for key, setting in entry.items() if key not in known},
        )
        for entry in entries
    ]
