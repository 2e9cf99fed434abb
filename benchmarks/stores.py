"""Stores that a training sends its record to, each wrong in a way of its own once it is told to go wrong."""

import contextlib
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
LEAST = 19
"""The niceness of a server that would be on another machine."""


@dataclass
class Store:
    """Where a training sends; an empty address is the database in its repository. `server` is a process."""

    address: str = ""
    server: int | None = None
    goes_wrong: Callable[[], object] = lambda: None

    def signalled(self, number: signal.Signals) -> None:
        """Sends a signal to its server."""
        if self.server is not None:
            os.kill(self.server, number)


def sender(root: Path) -> int | None:
    """The process that sends the record of a repository's training."""
    for lock in root.glob(".reprolm/executions/*/.lock"):
        with contextlib.suppress(IndexError, ValueError):
            return int(lock.read_text().split()[1])
    return None


def with_tables(root: Path) -> None:
    """Makes an empty database of MLflow, in a process of its own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    environment = kept | {"MLFLOW_EXPERIMENT_NAME": "tables"}
    subprocess.run([sys.executable, __file__, str(root)], env=environment, check=True)


@contextmanager
def own(_: Path) -> Iterator[Store]:
    """The database of the repository, which is well."""
    yield Store()


@contextmanager
def locked(root: Path) -> Iterator[Store]:
    """Another process holds the database and does not let go."""
    with contextlib.closing(sqlite3.connect(root / "mlflow.db", 60, isolation_level=None)) as holder:
        yield Store(goes_wrong=lambda: holder.execute("BEGIN EXCLUSIVE"))


@contextmanager
def full(root: Path) -> Iterator[Store]:
    """The database cannot grow any more."""

    def fill() -> None:
        pid, size = sender(root), (root / "mlflow.db").stat().st_size
        assert pid is not None, "nobody sends"
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, size))

    yield Store(goes_wrong=fill)


@contextmanager
def port(_: Path, listening: bool) -> Iterator[Store]:
    """A port at which nobody listens, or which lets everybody in and never answers; from the start."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        if listening:
            place.listen(1000)
        yield Store(f"http://127.0.0.1:{place.getsockname()[1]}")


@contextmanager
def server(root: Path, fault: str) -> Iterator[Store]:
    """An MLflow server that is well until it meets a fault, or is killed."""
    from tests.tracking.faulty import faulty

    with faulty(root) as running:
        os.setpriority(os.PRIO_PROCESS, running.pid, LEAST)
        store = Store(running.address, running.pid)
        if fault == "killed":
            store.goes_wrong = lambda: store.signalled(signal.SIGKILL)
        else:
            store.goes_wrong = lambda: running.goes(fault)
        yield store


KINDS: dict[str, Callable[[Path], AbstractContextManager[Store]]] = {
    "off": own,
    "healthy": own,
    "hanging": lambda root: port(root, listening=True),
    "dead": lambda root: port(root, listening=False),
    "served": lambda root: server(root, "none"),
    "dying": lambda root: server(root, "killed"),
    "flapping": lambda root: server(root, "flapping"),
    "slow": lambda root: server(root, "slow"),
    "nonsense": lambda root: server(root, "nonsense"),
    "locked": locked,
    "full": full,
}


@contextmanager
def store(kind: str, root: Path, tables: Path) -> Iterator[Store]:
    """A store of a kind for a repository, which is made."""
    (root / ".dvc").mkdir(parents=True)
    shutil.copy(tables / "mlflow.db", root)
    with KINDS[kind](root) as made:
        yield made


if __name__ == "__main__":
    from reprolm.tracking.destination import connect

    connect(Path(sys.argv[1]))
