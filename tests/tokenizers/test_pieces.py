import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reprolm.tokenizers import pieces as module
from reprolm.tokenizers.pieces import pieces
from reprolm.tokenizers.words import PATTERNS, splitter
from tests.tokenizers.test_huggingface import TEXT, TRAINED

SMALL = 24
EACH = pytest.mark.parametrize("pattern", PATTERNS)


@pytest.fixture(autouse=True, scope="module")
def small_pieces() -> object:
    patch = pytest.MonkeyPatch()
    patch.setattr(module, "PIECE_BYTES", SMALL)
    yield
    patch.undo()


@given(st.text())
def test_the_pieces_are_the_text(text: str) -> None:
    found = list(pieces(text.encode()))
    assert "".join(found) == text
    assert all(0 < len(piece.encode()) <= SMALL for piece in found)


WORDS = st.lists(
    st.sampled_from(
        ["a", "cat's", "кот", "\u3000", " ", "  ", "\n", "\r\n", "\t", "\u2028", "1,9", "it'll", ";", "?!"]
    )
)


@EACH
@given(words=WORDS)
def test_cutting_changes_no_word(pattern: str, words: list[str]) -> None:
    text, split = "".join(words), splitter(pattern)
    # a stretch without a place for a cut is cut anywhere, which may part what belongs together
    found = list(pieces(text.encode()))
    cuts = [(before[-1], after[0]) for before, after in itertools.pairwise(found)]
    if all((b == " " and not a.isspace()) or (b == "\n" and a.isalnum()) for a, b in cuts):
        assert [word for piece in found for word in split(piece)] == split(text)


def test_a_long_text_is_cut_before_white_space_alone() -> None:
    found = list(pieces(TEXT.encode()))
    assert len(found) > 20
    assert [i for piece in found for i in TRAINED.encode(piece)] == TRAINED.encode(TEXT)


@EACH
def test_punctuation_keeps_the_line_break_after_it(pattern: str) -> None:
    text, split = "abcdefgh ijklmnopqrst;\n\nand so on", splitter(pattern)
    assert [word for piece in pieces(text.encode()) for word in split(piece)] == split(text)


@example(b"\x80" * 100)
@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([b"\x80", b"\xf0\x9f", "🙂".encode(), b" "])).map(b"".join)
)
def test_bytes_that_are_no_text_come_back(document: bytes) -> None:
    found = list(itertools.islice(pieces(document), len(document)))
    assert b"".join(piece.encode("utf-8", "surrogateescape") for piece in found) == document
    assert all(found)


def test_no_character_is_cut_where_others_are_broken() -> None:
    document = "🙂".encode() * 5 + b"\x80" * 2 + "🙂".encode() * 20
    assert "".join(pieces(document)).count("🙂") == 25


def test_one_endless_word_is_cut_between_characters() -> None:
    assert max(len(piece) for piece in pieces(("ж" * 1000).encode())) == SMALL // 2


@given(st.text(st.sampled_from("ab \n\t\r\u2028\x1c\u3000\u200b"), max_size=9), st.sampled_from(" \nab\t"))
def test_the_cut_is_the_last_space_or_line_break_after_visible_text(start: str, filling: str) -> None:
    text = start + filling * 5000
    places = [
        i for i in range(1, len(text))
        if (text[i] == " " and not text[i - 1].isspace()) or (text[i] == "\n" and text[i - 1].isalnum())
    ]  # fmt: skip
    assert module._cut(text) == (places[-1] if places else len(text))
