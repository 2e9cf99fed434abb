"""Byte-level byte-pair encoding from scratch (Sennrich et al. 2016, arXiv:1508.07909; GPT-2).

Text is cut into words by a pattern, a word is its bytes, and merges join neighbours inside words. The file is
one that `tokenizers` loads, and gives the same ids there.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

from reprolm.errors import Exit, refuse
from reprolm.tokenizers.apply import Merges
from reprolm.tokenizers.bytelevel import BYTES, byte_characters
from reprolm.tokenizers.config import TokenizerConfig
from reprolm.tokenizers.interface import END_OF_DOCUMENT, FILE, Ids, Tokenizer
from reprolm.tokenizers.merges import learn
from reprolm.tokenizers.words import PATTERNS, splitter, word_counts

LARGEST_CACHE = 1 << 13
LONGEST_CACHED = 64
_LEVEL = {"add_prefix_space": False, "trim_offsets": True, "use_regex": False}


class _Cache(dict[str, bytes]):
    """Words that were met lately, with their ids as they lie in an array: to join them is quickest."""

    def __init__(self, merges: Merges) -> None:
        self._merges = merges
        self._older: dict[str, bytes] = {}

    def __missing__(self, word: str) -> bytes:
        ids = self._older.get(word)
        if ids is None:
            merged = self._merges.ids(word.encode("utf-8", "surrogateescape"))
            ids = np.array(merged, dtype=np.uint32).tobytes()
        if len(word) <= LONGEST_CACHED:
            self[word] = ids
        return ids

    def renewed(self) -> "_Cache":
        """This one until it is full; then one to which its words are the older ones, taken over when met."""
        if len(self) < LARGEST_CACHE:
            return self
        young, self._older = _Cache(self._merges), {}
        young._older = self
        return young


class BytePairTokenizer(Tokenizer):
    """Ids: 256 bytes in the order of GPT-2, the merges in the order of learning, `<|endoftext|>` last."""

    def __init__(self, serialized: str) -> None:
        content = json.loads(serialized)
        entries = [bytes([byte]) for byte in BYTES]
        numbers = {entry: number for number, entry in enumerate(entries)}
        characters = byte_characters()
        merges: list[tuple[int, int]] = []
        try:
            for pair in content["model"]["merges"]:
                left, right = (bytes(characters[c] for c in part) for part in pair)
                merges.append((numbers[left], numbers[right]))
                numbers[left + right] = len(entries)
                entries.append(left + right)
        except (KeyError, ValueError) as error:
            raise refuse(FILE, "is no byte-pair vocabulary", got=error, exit=Exit.INTEGRITY) from error
        special = bool(content["added_tokens"])
        super().__init__(entries + [b""] * special, len(entries) if special else None, serialized)
        self._split = splitter(pattern_of(content))
        self._cache = _Cache(Merges(merges))

    @classmethod
    def train(cls, texts: Iterable[str], config: TokenizerConfig) -> Self:
        """Learns merges until the vocabulary has `tokenizer.vocab_size` entries.

        Raises:
            ReprolmError: the text yields fewer (exit 65).
        """
        options, special = config.bytepair, int(config.end_of_document)
        words = word_counts(options.pattern, texts)
        counts = {word.encode("utf-8", "surrogateescape"): words[word] for word in sorted(words)}
        merges = learn(counts, config.vocab_size - 256 - special, options.min_frequency)
        reached = 256 + len(merges) + special
        if reached < config.vocab_size:
            what = "the train split yields a smaller vocabulary"
            want = f"at most {reached}, more text, or a lower tokenizer.bytepair.min_frequency"
            raise refuse("tokenizer.vocab_size", what, got=config.vocab_size, want=want)
        return cls(
            json.dumps(_content(merges, options.pattern, bool(special)), ensure_ascii=False, indent=1) + "\n"
        )

    def encode_many(self, texts: Sequence[str]) -> list[Ids]:
        """The ids of each text."""
        return [self._encoded(text) for text in texts]

    def _encoded(self, text: str) -> Ids:
        self._cache = self._cache.renewed()
        return np.frombuffer(
            bytearray().join(map(self._cache.__getitem__, self._split(text))), dtype=np.uint32
        )


def pattern_of(content: dict[str, Any]) -> str:
    """The name of the pattern that divides words in a file of ours; "" for a file of another make."""
    first, *_ = (content.get("pre_tokenizer") or {}).get("pretokenizers") or [{}]
    written = (first.get("pattern") or {}).get("Regex")
    return next((name for name, pattern in PATTERNS.items() if pattern == written), "")


def _content(merges: list[tuple[int, int]], pattern: str, special: bool) -> dict[str, Any]:
    """The file, as `tokenizers` wants it."""
    names = list(byte_characters())
    written = []
    for left, right in merges:
        written.append([names[left], names[right]])
        names.append(names[left] + names[right])
    split = {
        "type": "Split",
        "pattern": {"Regex": PATTERNS[pattern]},
        "behavior": "Isolated",
        "invert": False,
    }
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    added = [{"id": len(names), "content": END_OF_DOCUMENT, **flags, "special": True}] if special else []
    vocabulary = {name: number for number, name in enumerate(names)}
    vocabulary |= {END_OF_DOCUMENT: len(names)} if special else {}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, {"type": "ByteLevel", **_LEVEL}]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": written},
    }
