"""A team's servers on this machine: PostgreSQL, an S3 store, and an MLflow server that asks for passwords."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BUCKET = "lab"
ADMIN = ("admin", "a-long-password-1")
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
AUTH = """[mlflow]
default_permission = EDIT
database_uri = {users}
admin_username = {name}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""
START_SECONDS = 120


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def postgres() -> Path | None:
    """Where the newest PostgreSQL's own commands are; Debian keeps them from the search path."""
    known = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    found = str(known[-1]) if known else shutil.which("initdb")
    return Path(found).parent if found else None


@contextmanager
def started(command: list[str], log: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process with its children, until the block ends."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=log.parent, env=os.environ | variables, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns when a server answers."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"{address} did not start:\n{log.read_text()[-3000:]}")


@contextmanager
def database(place: Path) -> Iterator[str]:
    """A PostgreSQL of its own; the address of its database. It refuses to run as root: another user does."""
    commands = postgres()
    assert commands is not None
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    place.mkdir()
    shutil.chown(place, user)
    data, port = place / "data", free_port()

    def run(*words: str | Path) -> None:
        subprocess.run(words, user=user, cwd=place, check=True, stdout=subprocess.DEVNULL)

    run(commands / "initdb", "-D", data, "-A", "trust", "-U", "lab", "-E", "UTF8", "--no-sync")
    control = (commands / "pg_ctl", "-D", data, "-w", "-l", place / "log")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={place} -c fsync=off"
    run(*control, "-o", options, "start")
    try:
        yield f"postgresql://lab@127.0.0.1:{port}/postgres"
    finally:
        run(*control, "-m", "immediate", "stop")


@contextmanager
def objects(place: Path) -> Iterator[str]:
    """An S3 store with one bucket; its address."""
    port = free_port()
    address, log = f"http://127.0.0.1:{port}", place / "s3.log"
    with started([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], log) as process:
        wait_for(address, process, log)
        bucket = urllib.request.Request(f"{address}/{BUCKET}", method="PUT")
        urllib.request.urlopen(bucket, timeout=30).close()
        yield address


@dataclass(frozen=True)
class Team:
    """The addresses of a team's servers."""

    mlflow: str
    s3: str

    def member(self) -> dict[str, str]:
        """What stands in the environment of someone who may use them."""
        name, password = ADMIN
        login = {"MLFLOW_TRACKING_USERNAME": name, "MLFLOW_TRACKING_PASSWORD": password}
        return {"MLFLOW_TRACKING_URI": self.mlflow} | login | KEYS


@contextmanager
def team(place: Path) -> Iterator[Team]:
    """The servers that docs/team.md describes."""
    with database(place / "postgres") as store, objects(place) as s3:
        (place / "auth.ini").write_text(AUTH.format(users=f"sqlite:///{place}/users.db", name=ADMIN[0]))
        port = free_port()
        command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--workers", "1",
                   "--backend-store-uri", store, "--artifacts-destination", f"s3://{BUCKET}/mlflow",
                   "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
        settings = KEYS | {
            "MLFLOW_S3_ENDPOINT_URL": s3,
            "MLFLOW_AUTH_CONFIG_PATH": str(place / "auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[1],
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "a secret of the test",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        log = place / "mlflow.log"
        with started(command, log, **settings) as process:
            wait_for(f"http://127.0.0.1:{port}/health", process, log)
            yield Team(f"http://127.0.0.1:{port}", s3)
