import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprolm.corpus import text
from reprolm.corpus.text import check_utf8, divided
from reprolm.errors import Exit, ReprolmError


@pytest.fixture(autouse=True, scope="module")
def small_chunks() -> object:
    """Characters shall straddle the borders of chunks."""
    patch = pytest.MonkeyPatch()
    patch.setattr(text, "CHUNK_BYTES", 7)
    yield
    patch.undo()


@given(st.text())
def test_what_is_utf8_passes(content: str) -> None:
    check_utf8(content.encode(), "somewhere")


@given(st.text(), st.binary(min_size=1))
def test_the_first_wrong_byte_is_named_as_python_finds_it(before: str, tail: bytes) -> None:
    content = before.encode() + tail
    try:
        content.decode()
    except UnicodeDecodeError as wrong:
        line = 1 + content[: wrong.start].count(b"\n")
        with pytest.raises(ReprolmError, match=f"offset {wrong.start}, line {line}") as error:
            check_utf8(content, "somewhere")
        assert error.value.exit is Exit.DATA
    else:
        check_utf8(content, "somewhere")


@pytest.mark.parametrize("bad", [b"\xff\xfeA\x00", b"caf\xe9", b"\xc0\xaf", b"\xed\xa0\x80", b"cut \xe2\x82"])
def test_other_encodings_overlong_forms_and_surrogates_are_refused(bad: bytes) -> None:
    with pytest.raises(ReprolmError) as error:
        check_utf8(b"good\n" + bad, "a.txt")
    assert str(error.value).startswith("a.txt: is not UTF-8: byte 0x")
    assert re.search(r"got ([0-9a-f]{2} ?){1,16};", str(error.value))


@pytest.mark.parametrize("content", ["", "a", "\r\n", "\ufeffа\u2028\0"])
def test_without_a_separator_the_whole_is_one_document(content: str) -> None:
    assert [bytes(d) for d in divided(content.encode(), "")] == ([content.encode()] if content else [])


def test_a_separator_line_takes_its_line_break_and_one_within_a_line_does_not() -> None:
    assert list(divided(b"a\n==\nb==\nc\n==", "==")) == [b"a\n", b"b", b"\nc\n"]


def test_documents_of_white_space_are_left_out() -> None:
    assert list(divided(b"==\n \n==a== ==", "==")) == [b"a"]


@given(st.lists(st.text("ab \n\r\u0939", min_size=1), min_size=1))
def test_documents_keep_their_bytes(parts: list[str]) -> None:
    content = "|".join(parts).encode()
    kept = [bytes(document) for document in divided(content, "|")]
    # a separator alone on its line loses the line break behind it, nothing else is lost
    expected = [part.encode() for part in parts if part.strip()]
    assert [d.strip(b"\n") for d in kept] == [d.strip(b"\n") for d in expected]
