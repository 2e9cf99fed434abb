"""Byte-level tokenizers: every text and every byte comes back, and libraries agree."""

import functools
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiktoken
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from reprolm.errors import Exit, ReprolmError
from reprolm.tokenizers import pieces as cutting
from reprolm.tokenizers.bytepair import BytePairTokenizer
from reprolm.tokenizers.interface import Tokenizer
from reprolm.tokenizers.pieces import pieces
from reprolm.tokenizers.raw import BytesTokenizer
from reprolm.tokenizers.words import PATTERNS
from tests.settings import ROOT
from tests.tokenizers.settings import tokenizer_config

TEXT = (
    ROOT / "README.md"
).read_text() + "Жил-был кот. नमस्ते दुनिया 你好，世界 🙂🙃 I'll they've 12345 \r\n\t x\u00a0y"


def trained_bytepair(pattern: str) -> BytePairTokenizer:
    config = tokenizer_config(
        kind="bytepair", vocab_size=700, bytepair={"pattern": pattern, "min_frequency": 1}
    )
    return BytePairTokenizer.train([TEXT], config)


BYTEPAIR = {pattern: trained_bytepair(pattern) for pattern in PATTERNS}
LEVEL = [BytesTokenizer.train([], tokenizer_config(kind="bytes")), *BYTEPAIR.values()]
UNICODE = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("aeé \n\r'12.,🙂\u0301"))
)


def raw(tokenizer: Tokenizer, data: bytes) -> list[int]:
    """The ids of any bytes, as the pipeline gives them to a tokenizer."""
    return np.concatenate([np.zeros(0, np.uint32), *tokenizer.encode_many(list(pieces(data)))]).tolist()


@pytest.mark.parametrize("tokenizer", LEVEL, ids=["bytes", *PATTERNS])
@given(data=st.binary(max_size=300))
def test_any_bytes_come_back(tokenizer: Tokenizer, data: bytes) -> None:
    assert tokenizer.decode_bytes(raw(tokenizer, data)) == data


def round_trip(count: int) -> None:
    """So many random bytes, and characters of all planes."""
    chance = random.Random(1)
    for _ in range(count // 1_000_000):
        data = chance.randbytes(500_000)
        text = "".join(map(chr, chance.choices([*range(0xD800), *range(0xE000, 0x11000)], k=160_000)))
        for tokenizer in LEVEL:
            for each in (data, text.encode()):
                assert tokenizer.decode_bytes(raw(tokenizer, each)) == each


def test_two_million_bytes_and_characters_come_back() -> None:
    round_trip(2_000_000)


@pytest.mark.heavy
def test_a_billion_bytes_and_characters_come_back() -> None:
    round_trip(1_000_000_000)


@functools.cache
def foreign(ours: Tokenizer, pattern: str) -> tiktoken.Encoding:
    """The same merges in `tiktoken`."""
    ranks = {ours.decode_bytes([i]): i for i in range(ours.vocab_size - 1)}
    return tiktoken.Encoding("own", pat_str=PATTERNS[pattern], mergeable_ranks=ranks, special_tokens={})


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=UNICODE)
def test_ids_are_those_of_tokenizers_and_of_tiktoken(pattern: str, text: str) -> None:
    ours = BYTEPAIR[pattern]
    library = tokenizers.Tokenizer.from_str(ours._serialized)
    library.encode_special_tokens = True
    ids = ours.encode(text)
    assert library.encode(text, add_special_tokens=False).ids == ids
    assert foreign(ours, pattern).encode_ordinary(text) == ids
    assert library.decode(ids) == text


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=60)
@given(text=UNICODE.map(lambda text: text * 5))
def test_pieces_have_the_ids_of_the_whole(pattern: str, text: str) -> None:
    ours, before = BYTEPAIR[pattern], cutting.PIECE_BYTES
    cutting.PIECE_BYTES = 24
    try:
        parts = list(pieces(text.encode()))
    finally:
        cutting.PIECE_BYTES = before
    assert "".join(parts) == text
    # only where a piece has no place to be cut at are its words cut
    if all(" " in part or "\n" in part or len(part.encode()) < 20 for part in parts[:-1]):
        return
    assert ours.decode(np.concatenate(ours.encode_many(parts)).tolist()) == text


@pytest.mark.parametrize("pattern", PATTERNS)
@given(content=st.binary(min_size=1) | st.text("theca ", min_size=1).map(str.encode))
def test_any_bytes_as_one_word_have_the_ids_of_tiktoken(pattern: str, content: bytes) -> None:
    ours = BYTEPAIR[pattern]
    assert ours._cache._merges.ids(content) == foreign(ours, pattern)._encode_single_piece(content)


def test_more_entries_than_the_text_yields_are_refused_with_both_numbers() -> None:
    config = tokenizer_config(
        kind="bytepair", vocab_size=5000, bytepair={"pattern": "gpt2", "min_frequency": 1}
    )
    with pytest.raises(
        ReprolmError, match=r"tokenizer.vocab_size: .* \(got 5000; want at most 26\d"
    ) as caught:
        BytePairTokenizer.train(["abc abd"], config)
    assert caught.value.exit is Exit.DATA


def test_neither_hash_seed_nor_order_nor_processes_change_the_file(tmp_path: Path) -> None:
    lines = (
        "import sys",
        "from reprolm.tokenizers import words",
        "from reprolm.tokenizers.bytepair import BytePairTokenizer",
        "from tests.tokenizers.settings import tokenizer_config",
        "if __name__ == '__main__':",
        "    texts = [f'word{i % 97} and{i % 13} more\\n' * 3 for i in range(400)]",
        "    texts = texts[::-1] if sys.argv[1] == 'reversed' else texts",
        "    words.FEWEST_CHARACTERS = words.BATCH_CHARACTERS = 2000 if sys.argv[1] == 'many' else 1 << 22",
        "    config = tokenizer_config(kind='bytepair', vocab_size=330)",
        "    sys.stdout.write(BytePairTokenizer.train(texts, config)._serialized)",
    )
    found = set()
    for seed, how in (("0", "one"), ("1", "many"), ("77", "reversed")):
        script = tmp_path / f"{how}.py"
        script.write_text("\n".join(lines))
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": ""}
        done = subprocess.run(
            [sys.executable, script, how], env=environment, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1
