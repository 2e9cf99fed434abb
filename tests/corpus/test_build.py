import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from reprolm.config import section
from reprolm.corpus.build import build
from reprolm.corpus.config import DataConfig
from reprolm.corpus.read import SPLITS, open_corpus
from reprolm.errors import Exit, ReprolmError
from reprolm.store import MANIFEST, directory_digest
from tests.corpus.conftest import BODY, Server
from tests.settings import raw


def config(**changes: Any) -> DataConfig:
    values = raw("data")
    for key, value in changes.items():
        values[key] = values[key] | value if isinstance(value, dict) else value
    return section({"data": values}, "data", DataConfig)


def own(path: Path, by: str = "auto", separator: str = "") -> DataConfig:
    return config(
        source="files",
        split={"by": by, "train": 0.8, "validation": 0.1, "test": 0.1},
        files={"path": str(path), "separator": separator},
    )


def written(folder: Path, documents: list[str]) -> Path:
    folder.mkdir()
    for i, document in enumerate(documents):
        (folder / f"{i:03}.txt").write_bytes(document.encode())
    return folder


STORIES = [f"Сказка {i}: жил-был кот. कथा {i * i}\r\n" for i in range(60)]


def test_no_document_is_lost_or_in_two_splits(tmp_path: Path) -> None:
    metrics = build(own(written(tmp_path / "t", STORIES)), tmp_path / "corpus", tmp_path / "cache")
    splits = open_corpus(tmp_path / "corpus")
    documents = {name: [d.decode() for d in split.documents()] for name, split in splits.items()}
    assert sorted(itertools.chain(*documents.values())) == sorted(STORIES)
    # within a split they stand in the order of the source
    assert all(found == [s for s in STORIES if s in set(found)] for found in documents.values())
    assert metrics["documents"] == 60 == sum(len(split) for split in splits.values())
    assert metrics["characters"] == sum(map(len, STORIES))
    assert metrics["train_bytes"] == splits["train"].bytes == len(splits["train"].content())
    assert all(documents[name] for name in SPLITS)


def test_a_document_cut_between_the_splits_counts_once(tmp_path: Path) -> None:
    metrics = build(own(written(tmp_path / "t", ["".join(STORIES)] * 2)), tmp_path / "corpus", tmp_path)
    assert [metrics[f"{name}_documents"] for name in SPLITS] == [2, 2, 2]
    assert metrics["documents"] == 2


def test_the_same_text_gives_the_same_bytes_and_an_account(tmp_path: Path) -> None:
    folder = written(tmp_path / "t", STORIES)
    for name in ("a", "b"):
        build(own(folder), tmp_path / name, tmp_path / "cache")
    assert directory_digest(tmp_path / "a") == directory_digest(tmp_path / "b")
    account = json.loads((tmp_path / "a" / "corpus.json").read_text())
    assert account["source"] == "files"
    assert account["files"] == 60
    assert account["split_by"] == "document"
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    parts = [f"{name}.{kind}" for name in SPLITS for kind in ("txt", "offsets")]
    assert files == sorted([*parts, "corpus.json", "hygiene.json", MANIFEST])


def test_planted_duplicates_are_counted_exactly_and_do_not_leak(tmp_path: Path) -> None:
    folder = written(tmp_path / "t", STORIES + STORIES[:10] + STORIES[:3])
    assert build(own(folder), tmp_path / "corpus", tmp_path)["duplicate_documents"] == 13
    found = [set(split.documents()) for split in open_corpus(tmp_path / "corpus").values()]
    assert sum(map(len, found)) == len(set.union(*found)) == len(STORIES)


def test_a_single_text_is_cut_in_three(tmp_path: Path) -> None:
    text = "".join(STORIES)
    build(own(written(tmp_path / "t", [text])), tmp_path / "corpus", tmp_path)
    splits = open_corpus(tmp_path / "corpus")
    assert "".join(str(split.content(), "utf-8") for split in splits.values()) == text
    assert [len(split) for split in splits.values()] == [1, 1, 1]
    assert splits["train"].bytes == pytest.approx(0.8 * len(text.encode()), abs=4)


def test_documents_divided_by_a_separator_are_documents(tmp_path: Path) -> None:
    folder = written(tmp_path / "t", ["<|endoftext|>\n".join(STORIES)])
    assert build(own(folder, separator="<|endoftext|>"), tmp_path / "corpus", tmp_path)["documents"] == 60


@pytest.mark.parametrize(
    ("documents", "by", "where"),
    [
        (["  \n"], "document", "data.files.path"),
        (["one document, kept whole"], "document", "data.split."),
        (["ab"], "position", "data.split."),
    ],
)
def test_a_corpus_without_text_or_with_an_empty_split_is_refused(
    tmp_path: Path, documents: list[str], by: str, where: str
) -> None:
    folder = written(tmp_path / "t", documents)
    out = tmp_path / "out" / "corpus"
    with pytest.raises(ReprolmError, match=rf"^{where}") as error:
        build(own(folder, by=by, separator="|"), out, tmp_path)
    assert error.value.exit is Exit.DATA
    assert not list(out.parent.iterdir())


def test_a_refused_text_leaves_the_earlier_corpus_intact(tmp_path: Path) -> None:
    folder = written(tmp_path / "t", STORIES)
    build(own(folder), tmp_path / "corpus", tmp_path)
    before = directory_digest(tmp_path / "corpus")
    (folder / "zzz.txt").write_bytes(b"\xff")
    with pytest.raises(ReprolmError, match="is not UTF-8"):
        build(own(folder), tmp_path / "corpus", tmp_path)
    open_corpus(tmp_path / "corpus")
    assert directory_digest(tmp_path / "corpus") == before


def test_a_damaged_corpus_is_not_opened(tmp_path: Path) -> None:
    build(own(written(tmp_path / "t", STORIES)), tmp_path / "corpus", tmp_path)
    path = tmp_path / "corpus" / "train.txt"
    content = bytearray(path.read_bytes())
    content[17] ^= 1
    path.write_bytes(content)
    with pytest.raises(ReprolmError, match=r"train\.txt: has other bytes") as error:
        open_corpus(tmp_path / "corpus")
    assert error.value.exit is Exit.INTEGRITY


def test_a_download_becomes_a_corpus_and_its_digest_is_told(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    url = {"name": "custom", "address": server.url("whole"), "separator": "\n"}
    metrics = build(config(source="url", url=url), tmp_path / "corpus", tmp_path / "cache")
    assert metrics["documents"] == BODY.count(b"\n")
    account = json.loads((tmp_path / "corpus" / "corpus.json").read_text())
    assert account["download_bytes"] == len(BODY)
    assert account["download_sha256"] in capsys.readouterr().err
