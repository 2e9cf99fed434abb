"""Long documents in pieces, cut where no tokenizer joins."""

import re
from collections.abc import Iterator

from reprolm.corpus.text import FORGET_BYTES, forget

PIECE_BYTES = 1 << 16
LONGEST_CHARACTER_BYTES = 4
_CUT = re.compile(r"(?<=\S) |(?<=[^\W_])\n")


def pieces(document: bytes | memoryview) -> Iterator[str]:
    """The text of a document, in pieces of at most `PIECE_BYTES`.

    A cut lies before a space that follows visible text, or a line break that follows a letter or digit. There
    the patterns of GPT-2 and GPT-4 begin a new word whatever stands around, so that the ids of the pieces are
    those of the whole; only a stretch of `PIECE_BYTES` without such a place is cut anywhere between two
    characters. Bytes that are no UTF-8 become halves of surrogate pairs, which stand for nothing else.
    """
    view, start = memoryview(document), 0
    while len(view) - start > PIECE_BYTES:
        end = start + _boundary(view[start : start + PIECE_BYTES + 1])
        text = str(view[start:end], "utf-8", "surrogateescape")
        text = text[: _cut(text)]
        yield text
        start += len(text.encode("utf-8", "surrogateescape"))
        if start % FORGET_BYTES < PIECE_BYTES:
            forget(view)
    if start < len(view):
        yield str(view[start:], "utf-8", "surrogateescape")


def _boundary(view: memoryview) -> int:
    """The last place before the end where a character begins; the end where the bytes are no UTF-8."""
    end = len(view) - 1
    for at in range(end, max(0, end - LONGEST_CHARACTER_BYTES), -1):
        if view[at] & 0b1100_0000 != 0b1000_0000:
            return at
    return end


def _cut(text: str) -> int:
    """The last place for a cut, else the end."""
    # mostly it is near the end; a search from there backwards would take quadratic time in white space
    for tail in (1 << 8, 1 << 12, len(text)):
        places = [found.start() for found in _CUT.finditer(text, max(0, len(text) - tail))]
        if places:
            return places[-1]
    return len(text)
