"""A model that was trained, promoted and is served."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.pipeline.workspace import Workspace


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def asked(port: int, **request: Any) -> tuple[int, Any]:
    """The status and the answer of a served model."""
    address = f"http://127.0.0.1:{port}/invocations"
    headers = {"Content-Type": "application/json"}
    query = urllib.request.Request(address, json.dumps(request).encode(), headers)
    try:
        with urllib.request.urlopen(query, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wait_for(port: int, server: "subprocess.Popen[str]") -> None:
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(server.communicate()[0])


@pytest.mark.heavy
def test_a_promoted_model_is_served_and_answers_prompts(finished: Workspace) -> None:
    finished.runs()
    finished.run("reprolm", "promote", "latest")
    assert finished.status() == ""
    assert "up to date" in finished.run("dvc", "status")
    port = free_port()
    command = ["mlflow", "models", "serve", "-m", "models:/language-model@champion"]
    server = subprocess.Popen(
        [*command, "--env-manager", "local", "-p", str(port), "-w", "1"], text=True,
        env=finished.environment() | {"MLFLOW_TRACKING_URI": f"sqlite:///{finished.path}/mlflow.db"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(port, server)
        prompt, short = [{"prompt": "the cat"}], {"max_new_tokens": 3, "temperature": 0.0}
        code, few = asked(port, inputs=prompt, params=short)
        assert code == 200
        assert few["predictions"][0].startswith("the cat")
        _, more = asked(port, inputs=prompt, params=short | {"max_new_tokens": 9})
        assert len(more["predictions"][0]) > len(few["predictions"][0])
        assert asked(port, inputs=prompt, params=short) == (200, few)
        code, refused = asked(port, inputs=prompt, params={"temperature": -1.0})
        assert (code, "sample.temperature" in refused["message"]) == (400, True)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


@pytest.mark.heavy
def test_dvc_gets_the_model_by_the_name_that_a_tag_gives_it(work: Workspace) -> None:
    work.run("git", "tag", "-a", "language-model@v1.0.0", "-m", "The first")
    work.run("dvc", "artifacts", "get", str(work.path), "language-model", "-o", str(work.path / "got"))
    for name in ("model.safetensors", "manifest.json"):
        ours = (work.path / "models" / "model" / name).read_bytes()
        assert (work.path / "got" / name).read_bytes() == ours
