import socket
from pathlib import Path

import pytest

from reprolm.errors import Exit, ReprolmError
from reprolm.tracking import interface
from reprolm.tracking.interface import command, serve
from tests.serving import free_port


@pytest.fixture
def started(repository: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    calls: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.chdir(repository)
    monkeypatch.setattr(
        interface.os, "execve", lambda _, words, environment: calls.append((words, environment))
    )
    return calls


def test_the_pages_are_for_this_machine_and_its_exact_names(repository: Path) -> None:
    words = command(repository, 5001)
    options = dict(zip(words[5::2], words[6::2], strict=True))
    assert options["--host"] == "127.0.0.1"
    assert options["--allowed-hosts"] == "127.0.0.1:5001,localhost:5001"
    assert options["--workers"] == "1"
    assert options["--backend-store-uri"] == f"sqlite:///{repository}/mlflow.db"


def test_the_address_is_said_and_what_is_not_needed_is_off(
    repository: Path, started: list[tuple[list[str], dict[str, str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    serve(repository, port)
    ((_, environment),) = started
    assert f"http://127.0.0.1:{port}" in capsys.readouterr().out
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert environment["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_port_in_use_is_named(repository: Path, started: list[tuple[list[str], dict[str, str]]]) -> None:
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        port = used.getsockname()[1]
        with pytest.raises(ReprolmError, match=f"port {port}: cannot be used") as caught:
            serve(repository, port)
    assert caught.value.exit is Exit.LOCKED
    assert not started


def test_a_store_that_is_a_server_has_its_own_pages(
    repository: Path,
    started: list[tuple[list[str], dict[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://example.com/mlflow")
    serve(repository, free_port())
    assert "https://example.com/mlflow" in capsys.readouterr().out
    assert not started
