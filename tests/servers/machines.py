"""A team's servers on this machine: PostgreSQL, an S3 store, and an MLflow server that asks for passwords."""

import os
import pwd
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.serving import free_port, served

BUCKET = "lab"
ADMIN = ("admin", "a-long-password-1")
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
AUTH = """[mlflow]
default_permission = EDIT
database_uri = {users}
admin_username = {name}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


def postgres() -> Path | None:
    """Where the newest PostgreSQL's own commands are; Debian keeps them from the search path."""
    known = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    found = str(known[-1]) if known else shutil.which("initdb")
    return Path(found).parent if found else None


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
    with served([sys.executable, "-m", "moto.server", "-H", "127.0.0.1"], "", place, os.environ) as address:
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
        command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--workers", "1",
                   "--backend-store-uri", store, "--artifacts-destination", f"s3://{BUCKET}/mlflow",
                   "--host", "127.0.0.1"]  # fmt: skip
        settings = KEYS | {
            "MLFLOW_S3_ENDPOINT_URL": s3,
            "MLFLOW_AUTH_CONFIG_PATH": str(place / "auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[1],
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "a secret of the test",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        with served(command, "/health", place, os.environ | settings) as mlflow:
            yield Team(mlflow, s3)
