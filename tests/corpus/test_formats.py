"""Files of every format, plain and compressed."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from reprolm.corpus.formats import documents
from reprolm.corpus.opened import content
from reprolm.errors import Exit, ReprolmError

TEXTS = ["Жил-был кот.\r\n", "Once\u2028upon", "\ufefflast\0"]
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}


def read(path: Path, separator: str = "", field: str = "text") -> list[str]:
    return [bytes(document).decode() for document in documents(path, separator, field, strict=True)]


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("ending", PACK)
def test_text_comes_out_as_it_went_in_however_it_is_packed(tmp_path: Path, ending: str) -> None:
    whole = "".join(TEXTS)
    path = put(tmp_path / f"t.txt{ending}", PACK[ending](whole.encode()))
    assert read(path) == [whole]
    assert read(path, separator="Once") == [TEXTS[0], "\u2028upon" + TEXTS[2]]


@pytest.mark.parametrize("ending", PACK)
def test_each_line_of_json_is_a_document(tmp_path: Path, ending: str) -> None:
    rows = [json.dumps({"id": i, "story": text}) for i, text in enumerate(TEXTS)]
    path = put(tmp_path / f"t.jsonl{ending}", PACK[ending](("\n".join(rows) + "\n\n").encode()))
    assert read(path, field="story") == TEXTS


def test_each_row_of_parquet_is_a_document(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    table = pyarrow.table({"story": [TEXTS[0], None, "", *TEXTS[1:]], "id": [1, 2, 3, 4, 5]})
    pyarrow.parquet.write_table(table, path, row_group_size=2)
    assert read(path, field="story") == TEXTS
    with pytest.raises(ReprolmError, match=r"has no column 'text' \(got story, id; want .*data.files.field"):
        read(path)
    with pytest.raises(ReprolmError, match=r"has no text in column 'id' \(got int64; want strings"):
        read(path, field="id")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: is not JSON"),
        ("[1]", "line 2: has no text under 'text' .got list"),
        ('{"story": "x"}', "line 2: has no text under 'text' .got story; want .*data.files.field"),
        ('{"text": 7}', "line 2: has no text under 'text'"),
    ],
)
def test_a_line_that_is_no_document_is_named_by_its_number(tmp_path: Path, line: str, message: str) -> None:
    path = put(tmp_path / "t.jsonl", f'{{"text": "a"}}\n{line}\n'.encode())
    with pytest.raises(ReprolmError, match=message) as caught:
        read(path)
    assert caught.value.exit is Exit.DATA


@pytest.mark.parametrize("ending", [ending for ending in PACK if ending])
def test_a_damaged_archive_is_one_line(tmp_path: Path, ending: str) -> None:
    packed = PACK[ending]("".join(TEXTS).encode() * 5000)
    for damaged in (packed[: len(packed) // 2], b"not an archive"):
        path = put(tmp_path / f"t.txt{ending}", damaged)
        with pytest.raises(ReprolmError, match="cannot be unpacked") as caught:
            content(path)
        assert caught.value.exit is Exit.DATA


def test_an_archive_that_unpacks_beyond_all_measure_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "bomb.txt.xz", lzma.compress(bytes(40 << 20)))
    with pytest.raises(ReprolmError, match="unpacks to more than 200 times its size"):
        content(path)


def test_a_damaged_parquet_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ReprolmError, match="cannot be read as parquet"):
        read(put(tmp_path / "t.parquet", b"PAR1 and then nothing"))
