"""The background process that sends the journal of an execution to MLflow, and `sync`, which does so by hand.

A stage only appends to the journal, and starts this process where none is at work: importing MLflow takes
seconds, a server that is down takes minutes, and neither may hold up a training. The process follows the
journal until the execution is over, sends what earlier executions left, and ends.
"""

import contextlib
import os
import random
import subprocess
import sys
import time
import traceback
from pathlib import Path

import reprolm
from reprolm.errors import Exit, Problem, ReprolmError
from reprolm.store import locked, prune
from reprolm.tracking.destination import Destination, answered, installed, reach, reason, survey, uri
from reprolm.tracking.ending import Ending
from reprolm.tracking.identity import redacted
from reprolm.tracking.location import executions
from reprolm.tracking.mirror import (
    Mirror,
    Shipped,
    execution_of,
    forget_failure,
    note_failure,
    pending,
)
from reprolm.tracking.record import JOURNAL

LOG = "shipper.log"
TRACKING = "REPROLM_TRACKING"
FAULT = "REPROLM_FAULT"
LOOK_EVERY_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
GIVE_UP_SECONDS = 60.0
# who is refused so often in a row (no password) is so again: whoever types `reprolm sync` may have one
REFUSALS = 3
FLUSH_SECONDS = 10.0
KEPT_EXECUTIONS = 50
PATIENCE = "MLFLOW_HTTP_REQUEST_TIMEOUT"
LONGEST_PATIENCE_SECONDS = 60
NICENESS = 10


def _root(directory: Path) -> Path:
    """The repository of an execution's directory, `<root>/.reprolm/executions/<id>`."""
    return directory.parents[2]


def wanted() -> bool:
    """Whether records are sent by themselves: MLflow is there, and `REPROLM_TRACKING` is not `off`."""
    return os.environ.get(TRACKING) != "off" and installed()


def start(directory: Path) -> None:
    """Starts the shipper of an execution, free of this process; a second one finds the lock and ends."""
    source = str(Path(reprolm.__file__).parents[1])
    path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path}
    environment.pop(FAULT, None)
    with contextlib.suppress(OSError), (directory / LOG).open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-P", "-m", "reprolm.tracking.shipper", str(directory)],
            cwd=_root(directory), env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip


def flush(directory: Path) -> None:
    """Waits a little until MLflow has the whole run; says what to type if it then lacks some of it."""
    deadline = time.monotonic() + FLUSH_SECONDS
    while not (shipped := Shipped.of(directory)).whole or pending(directory):
        if time.monotonic() > deadline or shipped.error:
            count, why = pending(directory), f" ({shipped.error})" if shipped.error else ""
            what = f"{count:,} records pending" if count else "the end of the run is pending"
            print(f"tracking: {what}{why}; run: reprolm sync", file=sys.stderr)
            return
        time.sleep(LOOK_EVERY_SECONDS / 10)


class Shipping:
    """Sends executions of one repository; connects when it must."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._to: Destination | None = None

    def _mirror(self, directory: Path) -> Mirror:
        if self._to is None:
            self._to = reach(self._root)
        return Mirror(directory, self._to)

    def _failed(self, directory: Path, error: Exception) -> None:
        if note_failure(directory, error):
            traceback.print_exception(error)
        # where MLflow answered, its experiment may be another by now; else to ask for it costs only time
        if answered(error):
            self._to = None

    def once(self, directory: Path) -> None:
        """Sends what MLflow lacks of an execution.

        Raises:
            ReprolmError: another process is at it (exit 75).
            Exception: MLflow's, when the store does not answer.
        """
        with locked(directory):
            try:
                mirror = self._mirror(directory)
                # the first look learns whose processes the second has to look for
                mirror.ship()
                mirror.ship()
            except Exception as error:
                self._failed(directory, error)
                raise

    def follow(self, directory: Path) -> None:
        """Sends an execution until it is over, its directory vanishes, or the store stays away too long."""
        mirror: Mirror | None = None
        failures, since = 0, time.monotonic()
        swept = False
        forget_failure(directory)
        ending = Ending(directory)
        while (directory / JOURNAL).is_file():
            pause = LOOK_EVERY_SECONDS
            ending.note()
            try:
                mirror = mirror or self._mirror(directory)
                # what ended between the two looks is sent by one more
                if mirror.ship() and not ending.note():
                    break
                failures, since = 0, time.monotonic()
                swept = swept or self.sweep()
            except Exception as error:
                self._failed(directory, error)
                mirror, failures = None, failures + 1
                _wait_longer()
                pause = min(LONGEST_PAUSE_SECONDS, LOOK_EVERY_SECONDS * 2**failures)
                refused = answered(error) and failures >= REFUSALS
                if _hopeless(directory, GIVE_UP_SECONDS if refused else time.monotonic() - since):
                    return
            time.sleep(pause * random.uniform(0.8, 1.0))  # noqa: S311 - so that many do not come at once
        if not swept:
            self.sweep()
        survey(self._root)

    def sweep(self) -> bool:
        """Sends what earlier executions of this machine left, newest first; removes old ones."""
        for directory in reversed(outstanding(self._root)):
            execution = execution_of(directory)
            if execution is None or execution.alive:
                continue
            try:
                self.once(directory)
            except ReprolmError:
                continue
            except Exception as error:
                if not answered(error):
                    break
        done = [path for path in _directories(self._root) if Shipped.of(path).over and not pending(path)]
        for directory in done[:-KEPT_EXECUTIONS]:
            prune(directory)
        return True


def _wait_longer() -> None:
    """Doubles the time that a server has for an answer: one that is merely slow shall get everything too."""
    if PATIENCE in os.environ:
        os.environ[PATIENCE] = str(min(LONGEST_PATIENCE_SECONDS, 2 * int(os.environ[PATIENCE])))


def _hopeless(directory: Path, silent_seconds: float) -> bool:
    """Whether to leave an execution to the next one, or to `reprolm sync`."""
    execution = execution_of(directory)
    ended = execution is None or not execution.alive
    return Shipped.of(directory).over or (ended and silent_seconds >= GIVE_UP_SECONDS)


def _directories(root: Path) -> list[Path]:
    """The executions of a repository, oldest first."""
    found = [path.parent for path in executions(root).glob(f"*/{JOURNAL}")]
    return sorted(found, key=lambda path: path.name.rsplit("-", 1)[-1].zfill(20))


def outstanding(root: Path) -> list[Path]:
    """The executions of which more may have to be sent, oldest first."""
    return [directory for directory in _directories(root) if not Shipped.of(directory).over]


def _stuck(directory: Path, holder: object) -> Problem | None:
    """What to say of an execution that a process holds whose store does not answer; None where it does."""
    error, execution = Shipped.of(directory).error, execution_of(directory)
    if not error:
        return None
    when = "about a minute after its end" if execution and execution.alive else "in about a minute"
    what = f"is held by {holder}, which cannot reach its store"
    return Problem(directory.name, what, error, f"reprolm sync again {when}: it has given up then")


def sync(root: Path) -> int:
    """Sends all that MLflow lacks, and says how much that was; what a shipper is at is left to it.

    Raises:
        ReprolmError: the store does not take it, or a shipper holds some that cannot reach its own (exit
            69); MLflow is not installed (66).
    """
    shipping, sent, busy = Shipping(root), 0, 0
    problems: dict[str, Problem] = {}
    for directory in reversed(outstanding(root)):
        count = pending(directory)
        try:
            shipping.once(directory)
        except ReprolmError as error:
            if error.exit is not Exit.LOCKED:
                raise
            if stuck := _stuck(directory, error.problems[0].got):
                problems[directory.name] = stuck
            else:
                busy += 1
            continue
        except Exception as error:
            got = reason(root, error)
            problems[got] = Problem(redacted(uri(root)), "does not take the record", got)
            if not answered(error):
                break
            continue
        sent += count
    print(f"tracking: {sent:,} records sent" + (f"; a process sends those of {busy} more" if busy else ""))
    if problems:
        raise ReprolmError(problems.values(), Exit.NETWORK)
    return sent


def main(directory: Path) -> None:
    """Follows one execution, unless another process does."""
    if not (directory / JOURNAL).is_file():
        return
    os.nice(NICENESS)
    try:
        with locked(directory):
            Shipping(_root(directory)).follow(directory)
    except ReprolmError as error:
        if error.exit is not Exit.LOCKED:
            raise


if __name__ == "__main__":
    main(Path(sys.argv[1]))
