import contextlib
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reprolm.corpus import url
from reprolm.corpus.build import source
from reprolm.corpus.download import shown_url
from reprolm.corpus.url import NAMED, PINS, resolved
from reprolm.errors import Exit, ReprolmError
from tests.corpus.conftest import BODY, Server
from tests.corpus.test_build import config


@pytest.mark.parametrize("name", NAMED)
def test_a_named_corpus_is_pinned(name: str) -> None:
    wanted, _ = resolved(config(url={"name": name}).url)
    assert wanted.address.startswith("https://")
    assert name == "openwebtext_sample" or re.fullmatch("[0-9a-f]{64}", wanted.sha256 or "")


def test_tiny_shakespeare_is_the_file_that_everybody_means() -> None:
    wanted, separator = resolved(config(url={"name": "tiny_shakespeare"}).url)
    assert wanted.bytes == 1_115_394
    assert (wanted.sha256 or "").startswith("86c4e6aa")
    assert separator == ""


def test_a_parameter_stands_above_the_table_and_a_mirror_must_serve_the_same_bytes() -> None:
    mirror = {"name": "tinystories_train", "address": "http://mirror/x.txt", "separator": "##"}
    wanted, separator = resolved(config(url=mirror).url)
    assert (wanted.address, separator) == ("http://mirror/x.txt", "##")
    assert wanted.sha256 == NAMED["tinystories_train"][0].sha256


def fetched(server: Server, name: str, root: Path) -> bytes:
    url = {"name": "custom", "address": f"{server.url(name)}?token=secret"}
    return b"".join(bytes(document) for document in source(config(source="url", url=url), root))


def test_the_first_download_pins_the_address_and_another_clone_refuses_other_bytes(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetched(server, "whole", tmp_path / "first") == BODY
    pins = json.loads((tmp_path / "first" / PINS).read_text())
    assert pins == {shown_url(server.url("whole")): pins[server.url("whole")]}
    assert "commit it" in capsys.readouterr().err
    fetched(server, "whole", tmp_path / "first")
    assert len(server.ranges) == 1, "what is pinned and there is not asked for again"
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / PINS).write_text(json.dumps({server.url("whole"): "0" * 64}))
    with pytest.raises(ReprolmError, match="has another sha256") as error:
        fetched(server, "whole", clone)
    assert error.value.exit is Exit.INTEGRITY


def test_damaged_pins_are_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / PINS).write_text("[]")
    with pytest.raises(ReprolmError, match=r"pins\.json: has a wrong form"):
        fetched(server, "whole", tmp_path)


def pin(root: Path, address: str) -> None:
    list(source(config(source="url", url={"name": "custom", "address": address}), root))


def test_downloads_at_the_same_time_keep_each_others_pins(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = threading.Barrier(4, timeout=60)
    read = url._pins

    def slow(root: Path) -> dict[str, str]:
        pins = read(root)
        with contextlib.suppress(threading.BrokenBarrierError):
            met.wait(0.5)  # without the lock all four have read before one writes
        return pins

    monkeypatch.setattr(url, "_pins", slow)
    addresses = [f"{server.url('whole')}/{number}" for number in range(4)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda address: pin(tmp_path, address), addresses))
    assert sorted(json.loads((tmp_path / PINS).read_text())) == sorted(map(shown_url, addresses))
