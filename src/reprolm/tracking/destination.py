"""Where MLflow is, and a client for it. This is no parameter of a result: it stands in no params.yaml.

The store is `MLFLOW_TRACKING_URI`, else `mlflow.db` in the original repository; the experiment is
`MLFLOW_EXPERIMENT_NAME`, else that of `reprolm.toml` (`[mlflow] experiment = "…"`), else `reprolm`.
"""

import contextlib
import importlib.util
import logging
import os
import re
import sqlite3
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reprolm.errors import Exit, refuse
from reprolm.store import locked, patiently
from reprolm.tracking import view
from reprolm.tracking.identity import redacted

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "reprolm"
SURVEYED_ROWS = 1000
LONGEST_REASON = 200
ENVIRONMENT = {
    # retries are ours: MLflow's own block for minutes (spec: seven, up to two minutes each)
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
ITS_PACKAGES = ("mlflow", "sqlalchemy", "alembic", "requests", "urllib3", "botocore", "boto3")
ITS_ERRORS = (ConnectionError, TimeoutError, FileExistsError, NotADirectoryError)
"""The errors of a store: by the package that they are of, and those of its place."""


@dataclass(frozen=True)
class Destination:
    """A store and its experiment."""

    client: "MlflowClient"
    experiment: str


def installed() -> bool:
    """Whether MLflow can be imported; nothing is."""
    try:
        return importlib.util.find_spec("mlflow") is not None
    except (ImportError, ValueError):
        return False


def uri(root: Path) -> str:
    """The address of the store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow.db'}"


def artifacts(root: Path) -> Path:
    """Where the files of runs lie that are kept in a store on this machine."""
    return root / "mlruns"


def experiment(root: Path) -> str:
    """The name of the experiment.

    Raises:
        ReprolmError: `reprolm.toml` cannot be read (exit 2).
    """
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME")
    path = root / "reprolm.toml"
    if not name and path.is_file():
        try:
            name = tomllib.loads(path.read_text(encoding="utf-8")).get("mlflow", {}).get("experiment")
        except (ValueError, AttributeError) as error:
            want = '[mlflow] experiment = "a name"'
            raise refuse(str(path), "is not right", got=error, want=want, exit=Exit.PARAMETERS) from error
    return str(name or EXPERIMENT)


def answered(error: Exception) -> bool:
    """Whether the store refused what it was asked for, rather than being away."""
    return getattr(error, "error_code", "INTERNAL_ERROR") not in ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE")


def gone(error: Exception) -> bool:
    """Whether the store says that there is no such thing, or no longer."""
    return getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST"


def forbidden(error: Exception) -> bool:
    """Whether the store knows who asks, and does not let them."""
    return getattr(error, "error_code", "") == "PERMISSION_DENIED"


def unknown_to(error: Exception) -> bool:
    """Whether the server is one of before: it does not know what it was asked."""
    return getattr(error, "error_code", "") in ("ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED")


def _away(error: BaseException | None) -> bool:
    """Whether an error came of a server that could not be reached, or did not answer in time."""
    while error is not None:
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if type(error).__module__.startswith("requests.") and kinds & {"ConnectionError", "Timeout"}:
            return True
        error = error.__cause__ or error.__context__
    return False


def reason(root: Path, error: Exception) -> str:
    """Why the store did not do what it was asked for, in a short line without secrets."""
    if _away(error):
        return f"cannot reach {redacted(uri(root))}"
    name, lines = type(error).__name__, str(error).strip().splitlines() or [""]
    # SQLAlchemy's first line may be advice for who wrote the program; what the driver said is behind it
    words = next((line for line in lines if re.match(r"\(\w+(\.\w+)+\) ", line)), lines[0])
    # KeyError: its words alone say nothing
    line = f"{name}: {words}" if type(error).__module__ == "builtins" and words else words or name
    return textwrap.shorten(redacted(line), LONGEST_REASON, placeholder=" …")


@contextlib.contextmanager
def asking(root: Path) -> Iterator[None]:
    """While the store is asked: its errors become one line (exit 69)."""
    try:
        yield
    except Exception as error:
        package = type(error).__module__.partition(".")[0]
        if package not in ITS_PACKAGES and not isinstance(error, ITS_ERRORS):
            raise
        what = "refuses" if answered(error) else "does not answer"
        raise refuse(redacted(uri(root)), what, got=reason(root, error), exit=Exit.NETWORK) from error


def survey(root: Path) -> None:
    """Has SQLite look at how its tables are filled: else it reads a curve of all runs for that of one."""
    address = uri(root)
    path = address.removeprefix("sqlite:///")
    if path == address or not Path(path).is_file():
        return
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path, timeout=1)) as store:
        store.execute(f"pragma analysis_limit = {SURVEYED_ROWS}")
        store.execute("analyze")


def connect(root: Path) -> Destination:
    """A client of the store, which is made first where there is none.

    Raises:
        ReprolmError: MLflow is not installed (exit 66), or the store does not answer (69).
    """
    with asking(root):
        return reach(root)


def reach(root: Path) -> Destination:
    """As `connect`, for who wants to know why a store does not answer.

    Raises:
        ReprolmError: MLflow is not installed (exit 66).
        Exception: that of MLflow or SQLAlchemy.
    """
    if not installed():
        raise refuse("mlflow", "is not installed", want="pip install mlflow", exit=Exit.MISSING)
    # what the user set stands
    os.environ |= ENVIRONMENT | os.environ
    from mlflow import MlflowClient

    # it tells of each table that it makes in a new store
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    address = uri(root)
    with _first_use(address):
        client = MlflowClient(tracking_uri=address)
        local = root if address.startswith("sqlite:") else None
        return Destination(client, _experiment_id(client, experiment(root), local))


def _first_use(address: str) -> contextlib.AbstractContextManager[None]:
    """Holds a database alone, from whichever repository it is used: MLflow creates its tables unlocked."""
    if not address.startswith("sqlite:"):
        return contextlib.nullcontext()
    from sqlalchemy.engine import make_url

    name = make_url(address).database
    # SQLite also takes names with options: file:PATH?mode=ro
    place = Path(f"{(name or '').removeprefix('file:')}.lock")
    return locked(place, wait=patiently) if name else contextlib.nullcontext()


def _experiment_id(client: "MlflowClient", name: str, root: Path | None) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        place = artifacts(root) / re.sub(r"[^\w.-]", "_", name) if root else None
        try:
            return str(client.create_experiment(name, place.as_uri() if place else None, view.TAGS))
        except MlflowException:
            # another machine was faster
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        # whoever removed the old runs did not mean those that come now
        client.restore_experiment(found.experiment_id)
    with contextlib.suppress(MlflowException):  # who may not, leaves it
        for key, value in view.lacking(found).items():
            client.set_experiment_tag(found.experiment_id, key, value)
    return str(found.experiment_id)
