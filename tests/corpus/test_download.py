import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reprolm.corpus.download import TRIES, Wanted, _inside, download, shown_url
from reprolm.errors import Exit, ReprolmError
from tests.corpus.conftest import BODY, Server

SHA = hashlib.sha256(BODY).hexdigest()


def fetched(
    server: Server, name: str, cache: Path, sha256: str | None = SHA, size: int | None = None
) -> bytes:
    wanted = Wanted(server.url(name), size, sha256)
    return download(wanted, cache, sleep=lambda seconds: None).read_bytes()


def refusal(server: Server, name: str, cache: Path, **known: int | str | None) -> ReprolmError:
    with pytest.raises(ReprolmError) as error:
        fetched(server, name, cache, **known)  # type: ignore[arg-type]
    assert not list(cache.glob("*.done"))
    return error.value


@pytest.mark.parametrize("name", ["whole", "cut", "changed", "range-ignored", "wrong-range", "busy", "moved"])
def test_the_bytes_are_right_whatever_the_server_does(server: Server, name: str, tmp_path: Path) -> None:
    assert fetched(server, name, tmp_path) == BODY


def test_a_truncated_transfer_is_resumed_where_it_was_cut(server: Server, tmp_path: Path) -> None:
    fetched(server, "cut", tmp_path)
    assert server.ranges == [None, f"bytes={len(BODY) // 3}-"]


def test_waits_grow_and_are_jittered(server: Server, tmp_path: Path) -> None:
    waits: list[float] = []
    with pytest.raises(ReprolmError) as error:
        download(Wanted(server.url("always-busy"), None, None), tmp_path, sleep=waits.append)
    assert error.value.exit is Exit.NETWORK
    assert "HTTP status 503" in str(error.value)
    assert len(waits) == TRIES - 1 == len(server.ranges) - 1
    assert all(2 ** (i + 1) / 2 <= wait <= 2 ** (i + 1) for i, wait in enumerate(waits))


def test_a_final_refusal_is_not_tried_again(server: Server, tmp_path: Path) -> None:
    error = refusal(server, "gone", tmp_path)
    assert (error.exit, len(server.ranges)) == (Exit.NETWORK, 1)


def test_no_server_at_all_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ReprolmError) as error:
        download(Wanted("http://127.0.0.1:9/x", None, None), tmp_path, sleep=lambda seconds: None)
    assert error.value.exit is Exit.NETWORK
    assert len(str(error.value).splitlines()) == 1


def test_a_wrong_sha256_names_the_address_and_both_hashes(server: Server, tmp_path: Path) -> None:
    error = refusal(server, "whole", tmp_path, sha256="0" * 64)
    assert error.exit is Exit.INTEGRITY
    assert all(part in str(error) for part in (server.url("whole"), SHA, "0" * 64))
    assert not list(tmp_path.glob("*.part"))


def test_another_size_is_refused(server: Server, tmp_path: Path) -> None:
    assert refusal(server, "whole", tmp_path, size=len(BODY) + 1).exit is Exit.INTEGRITY


def test_an_endless_body_is_cut_off_one_byte_behind_the_known_size(server: Server, tmp_path: Path) -> None:
    error = refusal(server, "endless", tmp_path, size=len(BODY), sha256=None)
    assert error.exit in (Exit.INTEGRITY, Exit.NETWORK)
    sizes = [path.stat().st_size for path in tmp_path.glob("*.part")]
    assert all(size <= len(BODY) + 1 for size in sizes)


@pytest.mark.parametrize("sha256", [SHA, None])
def test_an_html_page_instead_of_the_corpus_is_shown(
    server: Server, sha256: str | None, tmp_path: Path
) -> None:
    error = refusal(server, "html", tmp_path, sha256=sha256)
    assert error.exit is Exit.INTEGRITY
    assert "HTML page" in str(error)
    assert "Quota exceeded" in str(error)


def test_a_body_that_is_encoded_is_refused(server: Server, tmp_path: Path) -> None:
    assert refusal(server, "gzip", tmp_path).exit is Exit.INTEGRITY


def test_a_redirect_away_from_the_web_is_refused(server: Server, tmp_path: Path) -> None:
    error = refusal(server, "to-file", tmp_path)
    assert error.exit is Exit.SECURITY
    assert len(server.ranges) == 1


def test_a_redirect_from_the_web_into_the_own_network_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(
        map(_inside, ("http://127.0.0.1/x", "http://[::1]:8799/x", "https://10.1.2.3/", "http://[fe80::1]/"))
    )
    assert not _inside("https://93.184.216.34/x")
    # the server stands for one of the web
    monkeypatch.setattr("reprolm.corpus.download._inside", lambda address: "//inside" in address)
    error = refusal(server, "to-inside", tmp_path)
    assert error.exit is Exit.SECURITY
    assert "redirects into the own network" in str(error)


def test_a_pinned_file_is_not_asked_for_twice_and_a_damaged_one_is(server: Server, tmp_path: Path) -> None:
    path = download(Wanted(server.url("whole"), None, SHA), tmp_path)
    fetched(server, "whole", tmp_path)
    assert len(server.ranges) == 1
    path.write_bytes(b"damaged")
    assert fetched(server, "whole", tmp_path) == BODY
    assert len(server.ranges) == 2


def test_a_file_that_nobody_pinned_is_asked_for_again(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        fetched(server, "whole", tmp_path, sha256=None)
    assert len(server.ranges) == 2


def test_what_a_killed_download_left_is_resumed(server: Server, tmp_path: Path) -> None:
    wanted = f"Wanted({server.url('cut')!r}, None, None)"
    code = (
        "import time; from pathlib import Path; from reprolm.corpus.download import Wanted, download;"
        f"download({wanted}, Path({str(tmp_path)!r}), sleep=lambda seconds: time.sleep(600))"
    )
    child = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": "src"})
    try:
        while not any(path.stat().st_size == len(BODY) // 3 for path in tmp_path.glob("*.part")):
            assert child.poll() is None
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert fetched(server, "cut", tmp_path) == BODY
    assert server.ranges == [None, f"bytes={len(BODY) // 3}-"]


def test_a_full_disk_is_not_taken_for_the_network(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("reprolm.corpus.download._receive", full)
    with pytest.raises(OSError, match="No space left"):
        fetched(server, "whole", tmp_path)
    assert len(server.ranges) == 1


def test_credentials_and_queries_of_an_address_are_not_shown() -> None:
    assert shown_url("https://user:secret@host:8/a/b?token=secret#x") == "https://host:8/a/b"
