"""What byte-level vocabularies share: a character for each byte, and how a text falls into words."""

import re
from collections.abc import Callable

import regex  # type: ignore[import-untyped]

PATTERNS = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "gpt4": (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}]+|[\p{N}]{1,3}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
}
"""What is a word, inside of which pairs are merged: of GPT-2, and of GPT-4 (`cl100k_base`)."""


def byte_characters() -> dict[str, int]:
    """The printable character that stands for each byte in a byte-level vocabulary, as GPT-2 chose them."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + i): byte for i, byte in enumerate(hidden)}


def splitter(pattern: str) -> Callable[[str], list[str]]:
    """The function that divides a text into the words of a pattern, which together are the text.

    The package `re` is twice as fast as `regex` but knows no Unicode classes: it takes the texts in ASCII.
    """
    words = regex.compile(PATTERNS[pattern]).findall
    plain = PATTERNS[pattern].replace(r"\p{L}", "A-Za-z").replace(r"\p{N}", "0-9")
    ascii_words = re.compile(plain, re.ASCII).findall
    return lambda text: ascii_words(text) if text.isascii() else words(text)
