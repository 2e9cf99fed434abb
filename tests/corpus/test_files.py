from pathlib import Path

import pytest

from reprolm.corpus.config import FilesConfig
from reprolm.corpus.files import Files, bring
from reprolm.errors import Exit, ReprolmError


def options(path: str, glob: str = "**/*.txt", separator: str = "") -> FilesConfig:
    return FilesConfig(path=path, glob=glob, separator=separator, field="text")


def documents(path: str, glob: str = "**/*.txt", separator: str = "") -> list[bytes]:
    return [bytes(document) for document in Files(options(path, glob, separator), strict=True)]


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


@pytest.mark.parametrize(
    ("texts", "separator", "said"),
    [
        ({"a.txt": "one", "b.txt": "two"}, "|\n", r"'|\n' is found nowhere: a file is a document (2 in all)"),
        ({"a.txt": "one", "b.txt": "two|"}, "|", ""),
        ({"a.txt": "one", "b.txt": "two"}, "", ""),
        ({"a.jsonl": '{"text": "one"}'}, "|", ""),
        (
            {"a.jsonl": '{"text": "one"}', "b.txt": "two"},
            "|",
            "'|' is found nowhere: a file is a document (1 in all)",
        ),
    ],
)
def test_a_separator_that_is_found_nowhere_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], texts: dict[str, str], separator: str, said: str
) -> None:
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    documents(str(tmp_path), "*", separator)
    assert capsys.readouterr().err == (f"download: data.files.separator {said}\n" if said else "")


def brought(path: str, here: Path, root: Path) -> list[str]:
    config = options(path)
    return [copy.relative_to(here).as_posix() for copy in bring(config, here, root)]


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """The workspace of an experiment, and the repository with text that the workspace lacks in part."""
    here, root = tmp_path / "root" / "tmp" / "here", tmp_path / "root"
    for path, text in (("texts/a.txt", "tracked"), ("texts/deep/b.txt", "not"), ("own.txt", "own")):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (here / "texts").mkdir(parents=True)
    (here / "texts" / "a.txt").write_text("as it was queued")
    return here, root


def test_an_experiment_is_brought_what_it_lacks_and_keeps_what_it_was_queued_with(
    places: tuple[Path, Path],
) -> None:
    here, root = places
    assert brought("texts", here, root) == ["texts/deep/b.txt"]
    assert brought("own.txt", here, root) == ["own.txt"]
    assert (here / "own.txt").read_text() == "own"
    assert (here / "texts" / "a.txt").read_text() == "as it was queued"
    assert brought("texts", here, root) == []


def test_nothing_is_brought_to_the_repository_itself_or_from_an_absolute_path(
    places: tuple[Path, Path],
) -> None:
    here, root = places
    assert brought("own.txt", root, root) == []
    assert brought(str(root / "own.txt"), here, root) == []
    assert not (here / "own.txt").exists()


def test_a_path_out_of_the_repository_must_be_absolute_in_an_experiment(places: tuple[Path, Path]) -> None:
    here, root = places
    (root.parent / "beside.txt").write_text("text")
    with pytest.raises(ReprolmError, match="leads out of the repository") as error:
        brought("../beside.txt", here, root)
    assert error.value.exit is Exit.PARAMETERS
    assert str(root.parent / "beside.txt") in str(error.value)
    assert brought("../beside.txt", root, root) == []


def test_text_that_is_nowhere_is_named_and_a_pattern_is_sent_to_its_parameter(
    places: tuple[Path, Path],
) -> None:
    for place in places:
        with pytest.raises(
            ReprolmError, match=r"is not there \(got none.txt; want a file or folder\)"
        ) as error:
            brought("none.txt", place, places[1])
        assert error.value.exit is Exit.MISSING
    with pytest.raises(ReprolmError, match=r"want a file or folder; patterns go into data.files.glob"):
        brought("texts/*.txt", places[1], places[1])


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
