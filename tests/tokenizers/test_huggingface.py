import hashlib
import os
import subprocess
import sys

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from reprolm.errors import Exit, ReprolmError
from reprolm.tokenizers.bytelevel import byte_characters
from reprolm.tokenizers.huggingface import HuggingFaceTokenizer
from tests.tokenizers.settings import tokenizer_config

TEXT = (
    "The cat sat on the mat. Кот сидел на коврике. बिल्ली चटाई पर बैठी थी।\r\n\n  It's <|endoftext|> 😀 1999\t"
    * 20
)
SPECIAL = "<|endoftext|>"
TRAINED = HuggingFaceTokenizer.train([TEXT], tokenizer_config())


@given(st.text() | st.text(st.sampled_from(sorted(set(TEXT)))))
def test_every_text_comes_back(text: str) -> None:
    ids = TRAINED.encode(text)
    assert TRAINED.decode(ids) == text
    assert TRAINED.token_bytes[ids].sum() == len(text.encode())


@given(st.lists(st.integers(0, TRAINED.vocab_size - 1)))
def test_decoding_agrees_with_the_package_byte_for_byte(ids: list[int]) -> None:
    theirs = tokenizers.Tokenizer.from_str(TRAINED._serialized).decode(ids, skip_special_tokens=True)
    assert TRAINED.decode(ids) == theirs
    assert len(TRAINED.decode_bytes(ids)) == TRAINED.token_bytes[ids].sum()


@given(st.text(st.sampled_from(sorted(set(TEXT.replace("<", ""))))))
def test_ids_are_those_of_the_package(text: str) -> None:
    assert TRAINED.encode(text) == tokenizers.Tokenizer.from_str(TRAINED._serialized).encode(text).ids


def test_every_byte_has_an_entry() -> None:
    entries = {TRAINED.decode_bytes([i]) for i in range(TRAINED.vocab_size)}
    assert {bytes([byte]) for byte in range(256)} <= entries


def test_the_characters_of_bytes_are_those_of_the_package() -> None:
    level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    assert set(byte_characters()) == set(level.alphabet())
    assert sorted(byte_characters().values()) == list(range(256))
    for character in [*map(chr, range(0x800)), "अ", "日", "😀"]:
        [(shown, _)] = level.pre_tokenize_str(character)
        assert bytes(byte_characters()[c] for c in shown) == character.encode()


@pytest.mark.parametrize("text", [SPECIAL, f"a{SPECIAL}b", f"{SPECIAL}\n{SPECIAL}", f" {SPECIAL} "])
def test_a_special_entry_that_is_spelled_out_is_text(text: str) -> None:
    theirs = tokenizers.Tokenizer.from_str(TRAINED._serialized).encode(text).ids
    assert TRAINED.end_of_document in theirs, "the control: by default the package takes it for the entry"
    for ids in (TRAINED.encode(text), *(ids.tolist() for ids in TRAINED.encode_many([text] * 50))):
        assert TRAINED.end_of_document not in ids
        assert TRAINED.decode(ids) == text


def test_a_vocabulary_that_the_text_cannot_fill_names_both_numbers() -> None:
    with pytest.raises(ReprolmError, match=r"^tokenizer\.vocab_size") as error:
        HuggingFaceTokenizer.train(["abab"], tokenizer_config(vocab_size=5000))
    assert error.value.exit is Exit.DATA
    assert "got 5000" in str(error.value)
    assert "at most 258" in str(error.value)


def test_a_vocabulary_that_is_not_byte_level_is_refused() -> None:
    foreign = tokenizers.Tokenizer(tokenizers.models.WordLevel({"日本": 0}))
    with pytest.raises(ReprolmError, match="is not byte-level"):
        HuggingFaceTokenizer(foreign.to_str())


def test_neither_the_hash_seed_nor_the_threads_change_the_file() -> None:
    code = (
        "import hashlib; from tests.tokenizers.test_huggingface import *;"
        "print(hashlib.sha256(TRAINED._serialized.encode()).hexdigest())"
    )
    digests = {hashlib.sha256(TRAINED._serialized.encode()).hexdigest()}
    for seed in ("1", "2"):
        env = os.environ | {"PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": seed, "PYTHONPATH": "src"}
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True
        )
        digests.add(done.stdout.strip())
    assert digests == {TRAINED.digest}
