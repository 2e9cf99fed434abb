"""The journal keeps every whole record."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprolm.journal import Journal, count, read, stream

RECORDS = [{"step": i, "loss": 1 / (i + 1), "text": "ü\n"} for i in range(20)]


def written(path: Path) -> Path:
    with Journal(path) as journal:
        for record in RECORDS:
            journal.append(record)
    return path


def test_what_was_appended_is_read_back_exactly(tmp_path: Path) -> None:
    path = written(tmp_path / "j")
    assert read(path) == (RECORDS, path.stat().st_size)


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = written(tmp_path / "j")
    _, end = read(path)
    with Journal(path) as journal:
        journal.append({"more": True})
    assert read(path, end)[0] == [{"more": True}]


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_torn_last_line_is_cut_off_before_the_next_record(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path / "j")
    path.write_bytes(path.read_bytes()[:-cut])
    assert read(path)[0] == RECORDS[:-1]
    with Journal(path) as journal:
        journal.append({"after": 1})
    assert read(path)[0] == [*RECORDS[:-1], {"after": 1}]


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_damaged_byte_costs_the_records_whose_lines_it_is_in_and_no_more(
    tmp_path_factory: pytest.TempPathFactory, at: int, flip: int
) -> None:
    path = written(tmp_path_factory.mktemp("journal") / "j")
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= flip
    path.write_bytes(content)
    found = read(path)[0]
    assert found == [record for record in RECORDS if record in found]
    # a line break that is lost makes one line of two
    assert len(RECORDS) - 2 <= len(found) < len(RECORDS)
    assert (list(stream(path)), count(path)) == (found, len(found))
    Journal(path).close()
    assert read(path)[0] == found


def test_a_long_journal_is_read_in_pieces(tmp_path: Path) -> None:
    path, pieces, offset = written(tmp_path / "j"), list[dict[str, object]](), 0
    while (piece := read(path, offset, most=2))[0]:
        assert len(piece[0]) <= 2
        pieces, offset = pieces + piece[0], piece[1]
    assert pieces == RECORDS


def test_a_journal_is_gone_through_from_one_byte_to_another(tmp_path: Path) -> None:
    path = written(tmp_path / "j")
    (_, fifth), (_, eighth) = read(path, most=5), read(path, most=8)
    assert list(stream(path, fifth, eighth)) == RECORDS[5:8]
    assert list(stream(path, end=fifth)) == RECORDS[:5]
    assert count(path, eighth) == len(RECORDS) - 8
    assert (list(stream(tmp_path / "none")), count(tmp_path / "none")) == ([], 0)


def test_a_torn_line_that_is_longer_than_what_is_looked_at_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "j")
    whole = path.read_bytes()
    monkeypatch.setattr("reprolm.journal.BLOCK_BYTES", 7)
    for torn in (b"x" * 100, b"", b"x" * 7):
        path.write_bytes(whole + torn)
        Journal(path).close()
        assert path.read_bytes() == whole
    path.write_bytes(b"x" * 20)
    Journal(path).close()
    assert path.read_bytes() == b""


def test_text_that_is_no_unicode_is_kept(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.append({"name": "\udce9\0é"})
    assert read(tmp_path / "j")[0] == [{"name": "\udce9\0é"}]


def test_numbers_that_are_not_finite_are_kept(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.append({"loss": float("inf")})
    assert read(tmp_path / "j")[0] == [{"loss": float("inf")}]
