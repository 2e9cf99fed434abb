"""For those who want failure rather than a training without a store: asked once, before any computing.

`REPROLM_TRACKING` says it, as `MLFLOW_TRACKING_URI` says where the store is: no parameter of a result.
"""

import os
import time
from pathlib import Path

from reprolm.errors import Exit, refuse
from reprolm.tracking.destination import connect, uri
from reprolm.tracking.identity import redacted
from reprolm.tracking.mirror import Shipped
from reprolm.tracking.shipper import OFF as TRACKING

WORDS = ("", "on", "off", "required")
# a store that is made first, on a busy machine, takes half of it
PATIENCE_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.05


def require(root: Path, directory: Path | None) -> None:
    """Where the user requires a store: waits until it has the first records of an execution.

    Once it has them nothing is asked again: what a store does later ends no stage. A stage without a record
    of its own (`directory` is None) asks for the experiment instead.

    Raises:
        ReprolmError: the store cannot be reached, or refuses (exit 69); MLflow is not installed (66); the
            variable has a value that means nothing (2).
    """
    word = os.environ.get(TRACKING, "")
    if word not in WORDS:
        raise refuse(
            TRACKING, "has a wrong value", got=word, want="on, off or required", exit=Exit.PARAMETERS
        )
    if word != "required":
        return
    if directory is None:
        connect(root)
        return
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (shipped := Shipped.of(directory)).offset:
        silent = time.monotonic() > deadline
        if shipped.error or silent:
            got = shipped.error or f"nothing in {PATIENCE_SECONDS:.0f} s"
            want = f"one that does, or {TRACKING} without `required`"
            what = "does not take the record"
            raise refuse(redacted(uri(root)), what, got=got, want=want, exit=Exit.NETWORK)
        time.sleep(LOOK_EVERY_SECONDS)
