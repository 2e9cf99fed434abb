"""For those who want failure rather than a training without a store: asked once, before any computing.

`REPROLM_TRACKING` says it, as `MLFLOW_TRACKING_URI` says where the store is: no parameter of a result.
"""

import os
import time
from pathlib import Path

from reprolm.errors import Exit, refuse
from reprolm.journal import stream
from reprolm.tracking.destination import connect, uri
from reprolm.tracking.identity import redacted
from reprolm.tracking.location import executions
from reprolm.tracking.mirror import Shipped
from reprolm.tracking.record import JOURNAL
from reprolm.tracking.shipper import TRACKING

WORDS = ("", "on", "off", "required")
# a store that is made first, on a busy machine, takes half of it
PATIENCE_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.05


def _taken(directory: Path) -> bool:
    """Whether the store has, or had, the first records of an execution.

    What the sender knows is forgotten with a run that was purged; that an earlier stage came to its end,
    which it does only with them, is not.
    """
    if Shipped.of(directory).offset:
        return True
    records = stream(directory / JOURNAL)
    return any(record["kind"] == "ended" and record["status"] == "done" for record in records)


def require(root: Path, directory: Path | None, fault: str = "") -> None:
    """Where the user requires a store: waits until it has the first records of an execution.

    Once it has them nothing is asked again: what a store does later ends no stage. A stage without a record
    of its own (`directory` is None) asks for the experiment instead; `fault` is why one that should have a
    record has none.

    Raises:
        ReprolmError: the record cannot be written (exit 74); the store cannot be reached, or refuses (69);
            MLflow is not installed (66); the variable has a value that means nothing (2).
    """
    word = os.environ.get(TRACKING, "")
    if word not in WORDS:
        raise refuse(
            TRACKING, "has a wrong value", got=word, want="on, off or required", exit=Exit.PARAMETERS
        )
    if word != "required":
        return
    if fault:
        want = f"a place that can be written, or {TRACKING} without `required`"
        raise refuse(str(executions(root)), "cannot take the record", got=fault, want=want, exit=Exit.STORAGE)
    if directory is None:
        connect(root)
    else:
        _wait(root, directory)


def _wait(root: Path, directory: Path) -> None:
    """Until the store has the first records, at most as long as patience reaches."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _taken(directory):
        shipped, silent = Shipped.of(directory), time.monotonic() > deadline
        if shipped.error or silent:
            got = shipped.error or f"nothing in {PATIENCE_SECONDS:.0f} s"
            want = f"one that does, or {TRACKING} without `required`"
            what = "does not take the record"
            raise refuse(redacted(uri(root)), what, got=got, want=want, exit=Exit.NETWORK)
        time.sleep(LOOK_EVERY_SECONDS)
