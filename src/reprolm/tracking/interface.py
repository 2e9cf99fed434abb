"""The MLflow pages of a repository, for this machine alone."""

import contextlib
import os
import socket
import sys
from pathlib import Path

from reprolm.errors import Exit, refuse
from reprolm.tracking.destination import artifacts, connect, installed, survey, uri
from reprolm.tracking.identity import redacted

HOST = "127.0.0.1"
OPENED = "REPROLM_OPENED"
"""Names the experiment to `reprolm.tracking.pages`, which is imported with the whole server."""
ENVIRONMENT = {
    # jobs cost seven processes that nothing here uses; models saved as pickles are never loaded
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def command(root: Path, port: int) -> list[str]:
    """What is run: one worker, and the exact names under which a browser on this machine may ask.

    MLflow's own list of names has wildcards, by which a page elsewhere can read every run (DNS rebinding).
    """
    hosts = ",".join(f"{name}:{port}" for name in (HOST, "localhost"))
    options = {
        "--backend-store-uri": uri(root),
        "--default-artifact-root": artifacts(root).as_uri(),
        "--host": HOST,
        "--port": str(port),
        "--workers": "1",
        "--allowed-hosts": hosts,
        "--app-name": "reprolm",
    }
    words = [word for option in options.items() for word in option]
    return [sys.executable, "-P", "-m", "mlflow", "ui", *words]


def _refuse_used(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise refuse(
                f"port {port}", "cannot be used", got=error, want="reprolm ui --port with a free one",
                exit=Exit.LOCKED,
            ) from error  # fmt: skip


def serve(root: Path, port: int) -> None:
    """Becomes the server of the pages; returns only if the store is a server with pages of its own.

    Raises:
        ReprolmError: MLflow is not installed (exit 66), or the port is in use (75).
    """
    if not installed():
        raise refuse("mlflow", "is not installed", want="pip install mlflow", exit=Exit.MISSING)
    address = uri(root)
    if address.startswith(("http:", "https:")):
        print(f"The runs are kept by a server: {redacted(address)}")
        return
    _refuse_used(port)
    with contextlib.suppress(Exception):  # what is wrong with a store, MLflow's own server says
        os.environ[OPENED] = connect(root).experiment
    survey(root)
    print(f"http://{HOST}:{port} shows the runs in {redacted(address)} (Ctrl-C ends it)", flush=True)
    os.chdir(root)
    os.execve(sys.executable, command(root, port), os.environ | ENVIRONMENT)  # noqa: S606
