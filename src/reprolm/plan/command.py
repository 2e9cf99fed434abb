"""`reprolm plan`: makes a plan, shows it, and keeps what it predicts."""

import json
from pathlib import Path

from reprolm.config import read_params
from reprolm.plan.plan import plan
from reprolm.plan.table import table
from reprolm.tracking import planned


def show(root: Path, params: Path, *, as_json: bool, vocab_size: int | None, seconds: float | None) -> None:
    """Prints the plan of a file of parameters.

    Raises:
        ReprolmError: see `plan`.
    """
    raw = read_params(params)
    made = plan(root, raw, vocab_size=vocab_size, seconds=seconds)
    predicted = {"fit_seconds": made["seconds"]["train"], "peak_bytes": made["memory"]["peak_bytes"]}
    planned.keep(root, raw, predicted)
    print(json.dumps(made, indent=2) if as_json else f"{params.name} {table(made)}")
