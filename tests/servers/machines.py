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

import pytest
from mlflow.server import get_app_client

from tests.serving import free_port, served

BUCKET = "lab"
ADMIN = ("admin", "a-long-password-1")
MEMBERS = {"ann": "a-long-password-2", "ben": "a-long-password-3"}
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
def databases(place: Path) -> Iterator[tuple[str, str]]:
    """A PostgreSQL of its own; the addresses of two databases. It does not run as root: another user does."""
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
        run(commands / "createdb", "-h", place, "-p", str(port), "-U", "lab", "users")
        server = f"postgresql://lab@127.0.0.1:{port}"
        yield f"{server}/postgres", f"{server}/users"
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

    def member(self, name: str = "ann") -> dict[str, str]:
        """What stands in the environment of someone who may use them."""
        return {"MLFLOW_TRACKING_URI": self.mlflow} | login(name, MEMBERS[name]) | KEYS

    def join(self) -> None:
        """Makes the members known, as docs/team.md has the administrator do it."""
        with pytest.MonkeyPatch.context() as patched:
            for variable, value in login(*ADMIN).items():
                patched.setenv(variable, value)
            administrator = get_app_client("basic-auth", tracking_uri=self.mlflow)
            for name, password in MEMBERS.items():
                administrator.create_user(name, password)


def login(name: str, password: str) -> dict[str, str]:
    """The variables that MLflow's clients take a name and a password from."""
    return {"MLFLOW_TRACKING_USERNAME": name, "MLFLOW_TRACKING_PASSWORD": password}


@contextmanager
def team(place: Path) -> Iterator[Team]:
    """The servers that docs/team.md describes."""
    with databases(place / "postgres") as (store, users), objects(place) as s3:
        (place / "auth.ini").write_text(AUTH.format(users=users, name=ADMIN[0]))
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
            running = Team(mlflow, s3)
            running.join()
            yield running
