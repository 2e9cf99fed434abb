"""An MLflow server that can go wrong in every way that a network and a server can, as its own process."""

import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SLOW_SECONDS = 1.2
HEADERS = ("Content-Type", "Content-Disposition")
NO_PASSWORD = b"You are not authenticated. Please see the documentation for how to authenticate."
NONSENSE = b"<html><body>Please log in</body></html>"


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"

    def log_message(self, *words: Any) -> None: ...

    def _any(self) -> None:
        if self.path.startswith("/fault/"):
            self.server.fault = self.path.removeprefix("/fault/")
            return self.answer(200, b"")
        often, _, fault = self.server.fault.rpartition(":")
        if often and self.server.chance.random() > 1 / int(often):
            fault = "none"
        return FAULTS[fault](self)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        """Sends a whole answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def pages(self) -> tuple[int, bytes, dict[str, str]]:
        """What MLflow says, after it has done what it was asked."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.one:
            said = self.server.pages.open(
                self.path, method=self.command, data=body, headers={"Content-Type": "application/json"}
            )
        return said.status_code, said.data, {k: v for k, v in said.headers.items() if k in HEADERS}


def _healthy(request: _Handler) -> None:
    status, body, headers = request.pages()
    request.answer(status, body, **headers)


def _hang(request: _Handler) -> None:
    time.sleep(60)


def _drip(request: _Handler) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n" + b" " * 400:
        request.wfile.write(bytes([byte]))
        time.sleep(0.1)


def _slow(request: _Handler) -> None:
    time.sleep(SLOW_SECONDS)
    _healthy(request)


def _flapping(request: _Handler) -> None:
    """Half of each second it is there."""
    (_healthy if time.monotonic() % 1 < 0.5 else _reset)(request)


def _reset(request: _Handler) -> None:
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()


def _deaf(request: _Handler) -> None:
    """MLflow does what it is asked, and nobody is told: what is sent again must not double."""
    request.pages()
    _reset(request)


def _cut(request: _Handler) -> None:
    status, body, _ = request.pages()
    request.send_response(status)
    request.send_header("Content-Length", str(len(body) + 100))
    request.end_headers()
    request.wfile.write(body)
    request.close_connection = True


def _old(request: _Handler) -> None:
    """A server of before MLflow 3: it has no logged models."""
    if "logged-models" in request.path:
        return request.answer(404, b"<!doctype html><title>404 Not Found</title>", Content_Type="text/html")
    return _healthy(request)


FAULTS: dict[str, Callable[[_Handler], None]] = {
    "none": _healthy,
    "hang": _hang,
    "drip": _drip,
    "slow": _slow,
    "reset": _reset,
    "flapping": _flapping,
    "deaf": _deaf,
    "cut": _cut,
    "error": lambda request: request.answer(500, b"Internal Server Error"),
    "busy": lambda request: request.answer(429, b"Too Many Requests", Retry_After="3600"),
    "nonsense": lambda request: request.answer(200, NONSENSE, Content_Type="text/html"),
    "empty": lambda request: request.answer(200, b"{}", Content_Type="application/json"),
    "password": lambda request: request.answer(401, NO_PASSWORD, WWW_Authenticate='Basic realm="mlflow"'),
    "forbidden": lambda request: request.answer(403, NONSENSE, Content_Type="text/html"),
    "old": _old,
    "loop": lambda request: request.answer(302, b"", Location=request.path),
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, pages: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages, self.fault = pages, "none"
        self.chance, self.one = random.Random(1), threading.Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Those who ask may have left."""


class Faulty:
    """Such a server. Its fault can be changed at any time; `3:deaf` is met by a third of the requests."""

    def __init__(self, port: int, pid: int) -> None:
        self.address, self.pid = f"http://127.0.0.1:{port}", pid

    def goes(self, fault: str) -> None:
        """Lets go wrong from now on what `fault` names."""
        with urllib.request.urlopen(f"{self.address}/fault/{fault}", timeout=30) as said:
            assert said.status == 200


@contextmanager
def faulty(root: Path) -> Iterator[Faulty]:
    """A server whose store is that of a repository."""
    from mlflow.server import (
        ARTIFACT_ROOT_ENV_VAR,
        ARTIFACTS_DESTINATION_ENV_VAR,
        BACKEND_STORE_URI_ENV_VAR,
        SERVE_ARTIFACTS_ENV_VAR,
    )

    settings = {
        BACKEND_STORE_URI_ENV_VAR: f"sqlite:///{root / 'mlflow.db'}",
        ARTIFACT_ROOT_ENV_VAR: "mlflow-artifacts:/",
        ARTIFACTS_DESTINATION_ENV_VAR: (root / "served").as_uri(),
        SERVE_ARTIFACTS_ENV_VAR: "true",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [sys.executable, "-m", "tests.tracking.faulty"]
    with subprocess.Popen(command, cwd=root, env=os.environ | settings, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield Faulty(int(process.stdout.readline()), process.pid)
        finally:
            process.kill()


def main() -> None:
    """Serves MLflow's pages until it is killed."""
    from mlflow.server import app

    server = _Server(app.test_client())
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
