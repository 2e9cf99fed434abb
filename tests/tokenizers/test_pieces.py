import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprolm.tokenizers import pieces as module
from reprolm.tokenizers.pieces import pieces
from tests.tokenizers.test_huggingface import TEXT, TRAINED

SMALL = 24


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
    st.sampled_from(["a", "cat's", "кот", "\u3000", " ", "  ", "\n", "\r\n", "\t", "\u2028", "1,9", "it'll"])
)


@given(WORDS)
def test_cutting_changes_no_id(words: list[str]) -> None:
    text = "".join(words)
    # a stretch without a place for a cut is cut anywhere, which may part what belongs together
    found = list(pieces(text.encode()))
    cuts = [(before[-1], after[0]) for before, after in itertools.pairwise(found)]
    if all((b == " " and not a.isspace()) or (b == "\n" and a.isalnum()) for a, b in cuts):
        ids = [i for piece in found for i in TRAINED.encode(piece)]
        assert ids == TRAINED.encode(text)


def test_a_long_text_is_cut_before_white_space_alone() -> None:
    found = list(pieces(TEXT.encode()))
    assert len(found) > 20
    assert [i for piece in found for i in TRAINED.encode(piece)] == TRAINED.encode(TEXT)


def test_one_endless_word_is_cut_between_characters() -> None:
    assert max(len(piece) for piece in pieces(("ж" * 1000).encode())) == SMALL // 2


@given(st.text(st.sampled_from("ab \n\t\r\u2028\x1c\u3000\u200b"), max_size=9), st.sampled_from(" \nab\t"))
def test_the_cut_is_the_last_space_or_line_break_after_visible_text(start: str, filling: str) -> None:
    text = start + filling * 5000
    places = [i for i in range(1, len(text)) if text[i] in " \n" and not text[i - 1].isspace()]
    assert module._cut(text) == (places[-1] if places else len(text))
