"""What `reprolm plan` predicted for a set of parameters, kept until a run shows how it was."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprolm.errors import ReprolmError
from reprolm.journal import stream
from reprolm.store import digest, publish_json, read_json
from reprolm.tracking.location import PRIVATE, executions
from reprolm.tracking.record import JOURNAL, parameters

ACTS = ("data.", "tokenizer.", "model.", "train.", "threads")
QUANTITIES = ("fit_seconds", "peak_bytes")
"""What is predicted and then measured: the time of training itself, and the most memory of its process."""


def _acting(params: Mapping[str, Any]) -> dict[str, Any]:
    """Of flat parameters those that training hangs on."""
    return {name: value for name, value in params.items() if name.startswith(ACTS)}


def _place(root: Path, params: Mapping[str, Any]) -> Path:
    return root / PRIVATE / "plans" / f"{digest(_acting(parameters(params)))[:16]}.json"


def keep(root: Path, params: Mapping[str, Any], predicted: Mapping[str, float | None]) -> None:
    """Keeps a prediction of `QUANTITIES`; a later one for the same parameters takes its place."""
    publish_json(_place(root, params), {name: predicted[name] for name in QUANTITIES})


def compared(root: Path, params: Mapping[str, Any], actual: Mapping[str, float]) -> dict[str, str]:
    """What was predicted beside what was, as tags of a run; none where none was made."""
    tags: dict[str, str] = {}
    try:
        predicted = read_json(_place(root, params))
    except ReprolmError:
        return tags
    for name, value in actual.items():
        if before := predicted.get(name):
            tags[f"plan.{name}"] = f"predicted {before:.4g}, actual {value:.4g}, ratio {value / before:.2f}"
    return tags


def measured(root: Path, params: Mapping[str, Any]) -> dict[str, float]:
    """`QUANTITIES` as the newest run of these parameters showed them; none where none ran from its start."""
    wanted = _acting(parameters(params))
    newest: tuple[float, dict[str, float]] = (0.0, {})
    for journal in executions(root).glob(f"*/{JOURNAL}"):
        first = next(stream(journal), {})
        if _acting(first.get("params", {})) != wanted:
            continue
        for record in stream(journal):
            numbers = record.get("numbers", {}) if record["kind"] == "numbers" else {}
            if set(QUANTITIES) <= set(numbers) and record["at"] > newest[0]:
                newest = (record["at"], {name: numbers[name] for name in QUANTITIES})
    return newest[1]
