"""Publishing: whole or not at all, whatever the instant of a kill."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from reprolm.errors import Exit, ReprolmError
from reprolm.store import (
    directory_digest,
    locked,
    manifest,
    prune,
    publish_directory,
    publish_file,
    publish_json,
    verified,
)
from tests.settings import ROOT

WRITER = """
import sys
import threading
from pathlib import Path
from reprolm.store import publish_directory, publish_file
target, content = Path(sys.argv[1]), sys.argv[2]
if sys.argv[3] == "directory":
    with publish_directory(target) as out:
        (out / "a.txt").write_text(content)
        (out / "inner").mkdir()
        (out / "inner" / "b.txt").write_text(content * 2)
else:
    publish_file(target, content * 1000000)
"""

OVERWRITER = """
import sys
import threading
from pathlib import Path
from reprolm.store import step
with Path(sys.argv[1]).open("w") as file:
    for _ in range(4):
        step("write")
        file.write(sys.argv[2] * 250000)
        file.flush()
"""


def write(target: Path, content: str, kind: str, fault: str = "", script: str = WRITER) -> int:
    environment = os.environ | {"REPROLM_FAULT": fault, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", script, str(target), content, kind]
    return subprocess.run(command, env=environment, check=False, capture_output=True).returncode


def broken_file(path: Path) -> bool:
    return path.read_text() not in ("x" * 1000000, "y" * 1000000)


def test_a_file_is_the_old_or_the_new_one_whatever_the_instant_of_a_kill(tmp_path: Path) -> None:
    target = tmp_path / "file"
    publish_file(target, "x" * 1000000)
    for n in range(1, 20):
        code = write(target, "y", "file", f"any:{n}")
        assert not broken_file(target)
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert n > 4
    assert target.read_text() == "y" * 1000000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]  # leftovers of the killed are gone


def test_the_test_above_would_catch_a_writer_that_overwrites(tmp_path: Path) -> None:
    target = tmp_path / "file"
    publish_file(target, "x" * 1000000)
    write(target, "y", "file", "any:3", OVERWRITER)
    assert broken_file(target)


def test_a_new_directory_is_not_there_or_whole_whatever_the_instant_of_a_kill(tmp_path: Path) -> None:
    for n in range(1, 40):
        code = write(tmp_path / "d", "y", "directory", f"any:{n}")
        if (tmp_path / "d").exists():
            assert verified(tmp_path / "d")
        if code == 0:
            break
    assert n > 8
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d"]


def test_a_block_that_fails_publishes_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with publish_directory(tmp_path / "d") as out:
            (out / "a").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def directory(path: Path) -> Path:
    with publish_directory(path) as out:
        (out / "a").write_bytes(bytes(range(256)) * 20)
        (out / "b").write_bytes(b"")
    return path


@pytest.mark.parametrize("at", range(0, 5120, 512))
def test_every_flipped_bit_is_found(tmp_path: Path, at: int) -> None:
    path = directory(tmp_path / "d") / "a"
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << (at // 512 % 8)
    path.write_bytes(content)
    with pytest.raises(ReprolmError, match="has other bytes") as caught:
        verified(tmp_path / "d")
    assert caught.value.exit == Exit.INTEGRITY


def test_a_truncated_or_missing_file_is_found_and_named(tmp_path: Path) -> None:
    path = directory(tmp_path / "d") / "a"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ReprolmError, match=r"d/a: has another size \(got 5119; want 5120 bytes\)"):
        verified(tmp_path / "d")
    path.unlink()
    with pytest.raises(ReprolmError, match="d/a: has another size"):
        verified(tmp_path / "d")


def test_the_digest_is_that_of_names_and_contents(tmp_path: Path) -> None:
    one, same = directory(tmp_path / "one"), directory(tmp_path / "same")
    assert directory_digest(one) == directory_digest(same)
    with publish_directory(tmp_path / "other") as out:
        (out / "a").write_bytes(bytes(range(256)) * 20)
        (out / "c").write_bytes(b"")
    assert directory_digest(tmp_path / "other") != directory_digest(one)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x"])
def test_a_manifest_that_points_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    path = directory(tmp_path / "d")
    publish_json(path / "manifest.json", {"files": {name: {"bytes": 0, "sha256": ""}}})
    with pytest.raises(ReprolmError, match="is not a manifest"):
        manifest(path)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("safe")
    (tmp_path / "target").symlink_to(canary)
    publish_file(tmp_path / "target", "new")
    assert canary.read_text() == "safe"
    assert not (tmp_path / "target").is_symlink()


def test_who_waits_for_a_lock_gets_that_of_the_directory_that_is_there_then(tmp_path: Path) -> None:
    directory = tmp_path / "d"
    order: list[str] = []
    asked = threading.Event()

    def other() -> None:
        with locked(directory, wait=lambda holder: (order.append(holder), asked.set())[0]):
            order.append("in")
            assert (directory / ".lock").exists()

    thread = threading.Thread(target=other)
    with locked(directory):
        thread.start()
        assert asked.wait(10)
        prune(directory)
        order.append("out")
    thread.join(10)
    assert order[0].startswith(f"process {os.getpid()} ")
    assert order[1:] == ["out", "in"]


def test_a_lock_is_freed_with_its_holder(tmp_path: Path) -> None:
    with locked(tmp_path / "d"):
        pass
    with locked(tmp_path / "d"):
        pass


def test_a_disk_that_is_full_is_told_by_name_and_left_no_fuller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        publish_file(tmp_path / "a.txt", "text")
    assert str(caught.value.filename).startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
