"""Byte-level byte-pair encoding (Sennrich et al., arXiv:1508.07909; GPT-2), from scratch.

A text falls into words. A word begins as its bytes; then, of the pairs that stand in it, the one that
was learned first is merged from left to right, until none is left that was learned.
"""

import itertools
import json
import os
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from reprolm.errors import Exit, refuse
from reprolm.progress import Progress
from reprolm.tokenizers.bytelevel import PATTERNS, byte_characters, splitter
from reprolm.tokenizers.config import BYTES, TokenizerConfig
from reprolm.tokenizers.interface import END_OF_DOCUMENT, FILE, Ids, Tokenizer
from reprolm.tokenizers.merges import Pair, learn, replay
from reprolm.tokenizers.words import count_words

LONG_BYTES = 256
"""A longer word is merged by arrays: what suits short words takes time with the square of their length."""
MOST_KNOWN = 1 << 18
"""Words whose ids are remembered."""
NEVER = 1 << 62

ALPHABET = sorted(byte_characters())
"""The single bytes, as characters, in the order of their ids: as in `tokenizers`, where it decides ties."""


def _symbols() -> npt.NDArray[np.int32]:
    """The place of each byte in the alphabet."""
    values = byte_characters()
    places = np.empty(BYTES, dtype=np.int32)
    places[[values[character] for character in ALPHABET]] = np.arange(BYTES)
    return places


SYMBOLS = _symbols()


class BytePairTokenizer(Tokenizer):
    """Its file is in the format of `tokenizers`, which gives the same ids.

    `<|endoftext|>` is the id 0 where it is asked for; single bytes follow, then merges in the order in which
    they were learned.
    """

    def __init__(self, serialized: str) -> None:
        names, merges, pattern, specials = _read(serialized)
        characters = byte_characters()
        entries = [b""] * specials + [bytes(characters[c] for c in name) for name in names]
        super().__init__(entries, 0 if specials else None, serialized)
        self._split = splitter(pattern)
        self._known = _Known(merges, entries[specials:], specials)

    @classmethod
    def train(cls, texts: Iterable[str], config: TokenizerConfig) -> Self:
        """Learns merges until the vocabulary has `tokenizer.vocab_size` entries.

        Raises:
            ReprolmError: the text yields fewer (exit 65).
        """
        options = config.bytepair
        counts = count_words(texts, options.pattern, len(os.sched_getaffinity(0)))
        words = {word.encode(): count for word, count in counts.items()}
        least = BYTES + config.end_of_document
        wanted = config.vocab_size - least
        with Progress("merges", wanted, "merges") as progress:
            merges = learn(words, SYMBOLS, wanted, options.min_frequency, progress.advance)
        if len(merges) < wanted:
            raise refuse(
                "tokenizer.vocab_size",
                "the train split yields a smaller vocabulary",
                got=config.vocab_size,
                want=f"at most {least + len(merges)}, more text, or a lower tokenizer.bytepair.min_frequency",
            )
        return cls(_written(merges, options.pattern, config.end_of_document))

    def encode_many(self, texts: Sequence[str]) -> list[Ids]:
        """The ids of each text, on one core: most words are remembered from those before."""
        return [self._ids(text) for text in texts]

    def encode_bytes(self, content: bytes) -> Ids:
        """The ids of any bytes; those that are not UTF-8 count as neither letters, digits nor space."""
        return self._ids(content.decode("utf-8", "surrogateescape"))

    def _ids(self, text: str) -> Ids:
        known = self._known
        if len(known) > MOST_KNOWN:
            known.clear()
        ids = itertools.chain.from_iterable(map(known.__getitem__, self._split(text)))
        return np.fromiter(ids, dtype=np.uint32)


class _Known(dict[str, list[int]]):
    """The ids of words, merged when they are first asked for."""

    def __init__(self, merges: Sequence[Pair], entries: Sequence[bytes], first: int) -> None:
        super().__init__()
        self._n_symbols = len(entries)
        self._table = {left * len(entries) + right: BYTES + i for i, (left, right) in enumerate(merges)}
        self._whole = {entry: [first + i] for i, entry in enumerate(entries)}
        self._first = first

    def __missing__(self, word: str) -> list[int]:
        ids = self.merged(word.encode("utf-8", "surrogateescape"))
        self[word] = ids
        return ids

    def merged(self, word: bytes) -> list[int]:
        """The ids of a word."""
        # an entry was merged as it would be when it was learned, so that it is its own encoding
        whole = self._whole.get(word)
        if whole is not None:
            return whole
        symbols = SYMBOLS[np.frombuffer(word, dtype=np.uint8)]
        if len(word) > LONG_BYTES:
            ids: list[int] = (replay(symbols, self._table, self._n_symbols) + self._first).tolist()
            return ids
        return [self._first + symbol for symbol in self._short(symbols.tolist())]

    def _short(self, symbols: list[int]) -> list[int]:
        """Merges in place. The entry that a pair becomes is also its rank."""
        n, find = self._n_symbols, self._table.get
        ranks = [find(left * n + right, NEVER) for left, right in itertools.pairwise(symbols)]
        while ranks and (new := min(ranks)) != NEVER:
            at = ranks.index(new)
            symbols[at : at + 2] = [new]
            del ranks[at]
            if at:
                ranks[at - 1] = find(symbols[at - 1] * n + new, NEVER)
            if at < len(ranks):
                ranks[at] = find(new * n + symbols[at + 1], NEVER)
        return symbols


def _written(merges: Sequence[Pair], pattern: str, end_of_document: bool) -> str:
    """The content of a file as `tokenizers` would write it."""
    names = list(ALPHABET)
    pairs = []
    for left, right in merges:
        pairs.append([names[left], names[right]])
        names.append(names[left] + names[right])
    specials = [END_OF_DOCUMENT] * end_of_document
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    split = {
        "type": "Split",
        "pattern": {"Regex": PATTERNS[pattern]},
        "behavior": "Isolated",
        "invert": False,
    }
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    content = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": name} | flags for i, name in enumerate(specials)],
        "normalizer": None, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, level]},
        "post_processor": None, "decoder": level | {"add_prefix_space": True, "use_regex": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {name: i for i, name in enumerate([*specials, *names])}, "merges": pairs,
        },
    }  # fmt: skip
    return json.dumps(content, indent=2, ensure_ascii=False)


def _read(serialized: str) -> tuple[list[str], list[Pair], str, int]:
    """The entries, the merges, the name of the pattern and the number of special entries of a file.

    Raises:
        ReprolmError: it is not what `_written` writes (exit 76).
    """
    try:
        content = json.loads(serialized)
        text: Any = content["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
        pattern = next(name for name, known in PATTERNS.items() if known == text)
        specials = len(content["added_tokens"])
        names = list(content["model"]["vocab"])[specials:]
        place = {name: i for i, name in enumerate(names)}
        merges = [(place[left], place[right]) for left, right in content["model"]["merges"]]
        whole = _written(merges, pattern, bool(specials)) == serialized
    except (ValueError, KeyError, IndexError, TypeError, StopIteration) as error:
        raise refuse(FILE, "is no byte-pair vocabulary", got=repr(error), exit=Exit.INTEGRITY) from error
    if not whole:
        raise refuse(FILE, "is not a byte-pair vocabulary of this version", exit=Exit.INTEGRITY)
    return names, merges, pattern, specials
