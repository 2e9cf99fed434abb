"""What is odd about a text: each finding is counted, shown by examples, and kept, repaired or refused."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import ftfy
from ftfy.badness import badness

from reprolm.corpus.config import HygieneConfig
from reprolm.corpus.text import Text, forget
from reprolm.errors import Problem

PIECE_BYTES = 1 << 20
MOST_EXAMPLES, EXAMPLE_CHARACTERS = 3, 60
_CONTROLS = bytes(set(range(0x20)) - set(b"\0\t\n\r")) + b"\x7f"
_CONTROL = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]")


@dataclass(frozen=True)
class Check:
    """One kind of finding: where it first is and how often, and the text without it."""

    find: Callable[[bytes], tuple[int, int]]
    """Offset of the first and number of all, (−1, 0) if there is none."""
    repair: Callable[[bytes], bytes]


def _bytes(needle: bytes) -> Check:
    return Check(lambda text: (text.find(needle), text.count(needle)), lambda text: text.replace(needle, b""))


def _control(text: bytes) -> tuple[int, int]:
    # nearly all text has none, and this tells it ten times as fast as the pattern
    if len(text.translate(None, _CONTROLS)) == len(text) and b"\xc2" not in text:
        return -1, 0
    first = _CONTROL.search(text)
    return (first.start(), sum(1 for _ in _CONTROL.finditer(text))) if first else (-1, 0)


def _line_ends(text: bytes) -> tuple[int, int]:
    return text.find(b"\r"), text.count(b"\r")


def _unicode(odd: Callable[[str], int], repair: Callable[[str], str]) -> Check:
    """A check of text beyond ASCII; its place is the first line that is odd by itself."""

    def find(text: bytes) -> tuple[int, int]:
        count = 0 if text.isascii() else odd(text.decode("utf-8", "replace"))
        if not count:
            return -1, 0
        at = 0
        for line in text.splitlines(keepends=True):
            if not line.isascii() and odd(line.decode("utf-8", "replace")):
                return at, count
            at += len(line)
        return 0, count

    return Check(find, lambda text: repair(text.decode("utf-8", "replace")).encode())


def _invalid(text: bytes) -> tuple[int, int]:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return error.start, text.decode("utf-8", "replace").count("\ufffd") - text.count("\ufffd".encode())
    return -1, 0


def _fixed(text: str) -> str:
    """Line by line: ftfy leaves a text alone in which one character cannot come from a wrong decoding."""
    return "\n".join(ftfy.fix_encoding(line) if badness(line) else line for line in text.split("\n"))


CHECKS: dict[str, Check] = {
    "invalid_utf8": Check(_invalid, lambda text: text.decode("utf-8", "replace").encode()),
    "byte_order_mark": _bytes("\ufeff".encode()),
    "nul": _bytes(b"\0"),
    "control_characters": Check(_control, lambda text: _CONTROL.sub(b"", text)),
    "line_ends": Check(_line_ends, lambda text: text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")),
    "unnormalised": _unicode(
        lambda text: not unicodedata.is_normalized("NFC", text),
        lambda text: unicodedata.normalize("NFC", text),
    ),
    "mojibake": _unicode(badness, _fixed),
}
"""In the order in which they are reported."""
APPLIED = ("invalid_utf8", "mojibake", *(name for name in CHECKS if name not in ("invalid_utf8", "mojibake")))
"""In the order of repair: control characters may be what a wrong decoding made of letters."""


@dataclass
class Finding:
    """What was found of one kind."""

    count: int = 0
    documents: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)


class Hygiene:
    """Looks at every document, piece by piece, in constant memory."""

    def __init__(self, config: HygieneConfig, where: str) -> None:
        self._actions = {name: getattr(config, name) for name in CHECKS}
        self._where, self._document, self._changed = where, -1, False
        self._first: dict[str, str] = {}
        self.findings = {name: Finding() for name in CHECKS}
        self.repaired_documents = 0

    @property
    def refused(self) -> list[Problem]:
        """What was found until now and is to be refused, a problem for each kind."""
        found = {name: finding for name, finding in self.findings.items() if finding.count}
        return [self._refusal(name, found[name]) for name in found if self._actions[name] == "refuse"]

    def clean(self, document: Text, file: str = "") -> Iterator[Text]:
        """The document, in pieces, as it is to be kept; `file` is where it stands, if it is in one's own."""
        self._document += 1
        self._changed = False
        found: set[str] = set()
        for start, piece in _pieces(memoryview(document)):
            yield from self._looked_at(piece, start, found)
        for name in found:
            self._first.setdefault(name, f"{file or self._where}, document {self._document}")
            self.findings[name].documents += 1
        self.repaired_documents += self._changed

    def _looked_at(self, piece: memoryview, start: int, found: set[str]) -> Iterator[Text]:
        text = before = bytes(piece)
        for name in APPLIED:
            check = CHECKS[name]
            at, count = check.find(text)
            if not count:
                continue
            found.add(name)
            self._note(name, count, start + at, text[max(0, at - 20) :])
            if self._actions[name] == "repair":
                text = check.repair(text)
        self._changed |= text != before
        yield piece if text is before else text

    def _note(self, name: str, count: int, offset: int, text: bytes) -> None:
        finding = self.findings[name]
        finding.count += count
        if len(finding.examples) < MOST_EXAMPLES:
            shown = text[: 4 * EXAMPLE_CHARACTERS].decode("utf-8", "backslashreplace")[:EXAMPLE_CHARACTERS]
            finding.examples.append({"document": self._document, "offset": offset, "text": shown})

    def _refusal(self, name: str, finding: Finding) -> Problem:
        first = finding.examples[0]
        what = f"holds {name.replace('_', ' ')} at offset {first['offset']}"
        more = f", the first of {finding.count} in {finding.documents} documents"
        want = f"another text, or data.hygiene.{name}: repair"
        return Problem(self._first[name], what + more * (finding.count > 1), first["text"], want)


def _pieces(document: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Offsets and pieces of about a MiB, cut after a line break, else before an ASCII character."""
    start = 0
    while len(document) - start > PIECE_BYTES:
        piece = bytes(document[start : start + PIECE_BYTES])
        cut = piece.rfind(b"\n") + 1
        if not cut:
            ascii_at = (at for at in range(PIECE_BYTES - 1, PIECE_BYTES // 2, -1) if piece[at] < 0x80)
            # a carriage return stays with its line feed
            cut = next((at for at in ascii_at if piece[at] != 0x0A), _character_start(piece))
        yield start, document[start : start + cut]
        start += cut
        forget(document)
    if start < len(document):
        yield start, document[start:]


def _character_start(piece: bytes) -> int:
    """The start of the last character."""
    at = len(piece) - 1
    while at > len(piece) - 4 and piece[at] & 0b1100_0000 == 0b1000_0000:
        at -= 1
    return at
