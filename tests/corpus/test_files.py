from pathlib import Path

import pytest

from reprolm.corpus.config import FilesConfig
from reprolm.corpus.files import Files
from reprolm.errors import Exit, ReprolmError


def documents(path: str, glob: str = "**/*.txt", separator: str = "") -> list[bytes]:
    return [bytes(document) for document in Files(FilesConfig(path=path, glob=glob, separator=separator))]


def test_a_folder_is_read_in_the_order_of_paths_and_the_glob_chooses(tmp_path: Path) -> None:
    for name in ("b.txt", "README.md", "deep/er/a.txt", "a.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert documents(str(tmp_path)) == [b"a.txt", b"b.txt", b"deep/er/a.txt"]
    assert documents(str(tmp_path), glob="*.md") == [b"README.md"]


@pytest.mark.parametrize("content", ["кот\r\nпёс\r", "नमस्ते\u2028दुनिया", "\ufeffbom\0\x85"])
def test_bytes_are_kept_as_they_are(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.txt").write_bytes(content.encode())
    assert documents(str(tmp_path / "t.txt")) == [content.encode()]


def test_a_relative_path_is_looked_up_here_and_then_in_the_original_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, copy = tmp_path / "root", tmp_path / "copy"
    for folder in (root, copy):
        folder.mkdir()
    (root / "own.txt").write_text("of the root")
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(root))
    assert documents("own.txt") == [b"of the root"]
    (copy / "own.txt").write_text("of the copy")
    assert documents("own.txt") == [b"of the copy"]


def test_a_missing_path_names_the_parameter() -> None:
    with pytest.raises(ReprolmError, match=r"^data\.files\.path: is not there") as error:
        documents("no/such/file.txt")
    assert error.value.exit is Exit.MISSING


def test_an_empty_file_and_a_glob_without_a_match_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.md").touch()
    for path, what in ((tmp_path / "empty.md", "is empty"), (tmp_path, "no file matches")):
        with pytest.raises(ReprolmError, match=what) as error:
            documents(str(path))
        assert error.value.exit is Exit.DATA


def test_invalid_utf8_names_file_offset_line_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(b"one\ntwo caf\xe9 three")
    with pytest.raises(ReprolmError, match="byte 0xe9 at offset 11, line 2") as error:
        documents(str(path))
    assert error.value.exit is Exit.DATA
    assert str(path) in str(error.value)
    assert "63 61 66 e9 20 74" in str(error.value)
