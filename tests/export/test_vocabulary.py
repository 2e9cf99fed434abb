"""Tokenizers as others read them."""

import json
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from reprolm.export.vocabulary import write_tokenizer
from reprolm.store import publish_directory
from reprolm.tokenizers.character import CharacterTokenizer
from reprolm.tokenizers.huggingface import HuggingFaceTokenizer
from reprolm.tokenizers.interface import Tokenizer
from tests.tokenizers.settings import tokenizer_config

ALPHABET = "ab\n\t éЖ🙂\u200d<|>endoftxt"


def exported(path: Path, tokenizer: Tokenizer) -> tokenizers.Tokenizer:
    """The tokenizer of `tokenizers` for ours, as `transformers` sets it up."""
    with publish_directory(path / "ours") as out:
        tokenizer.save(out)
    (path / "theirs").mkdir()
    write_tokenizer(path / "ours", tokenizer, 16, path / "theirs")
    settings = json.loads((path / "theirs" / "tokenizer_config.json").read_text())
    inner = tokenizers.Tokenizer.from_file(str(path / "theirs" / "tokenizer.json"))
    inner.encode_special_tokens = settings["split_special_tokens"]
    return inner


def character(unknown: bool) -> CharacterTokenizer:
    return CharacterTokenizer.train(
        [ALPHABET], tokenizer_config(kind="character", character={"unknown": unknown})
    )


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[CharacterTokenizer, tokenizers.Tokenizer]:
    ours = character(unknown=True)
    return ours, exported(tmp_path_factory.mktemp("characters"), ours)


@given(text=st.text(st.sampled_from(ALPHABET + "zЩ\r")) | st.text())
def test_characters_have_the_same_ids(
    pair: tuple[CharacterTokenizer, tokenizers.Tokenizer], text: str
) -> None:
    ours, theirs = pair
    assert theirs.encode(text).ids == ours.encode(text)
    known = "".join(c for c in text if c in ALPHABET)
    assert theirs.decode(theirs.encode(known).ids, skip_special_tokens=False) == known


def test_a_special_entry_spelled_out_is_text(pair: tuple[CharacterTokenizer, tokenizers.Tokenizer]) -> None:
    ours, theirs = pair
    ids = theirs.encode("a<|endoftext|>b").ids
    assert len(ids) == 15
    assert ours.end_of_document == theirs.token_to_id("<|endoftext|>")
    assert ours.end_of_document not in ids


def test_a_character_without_an_entry_is_an_error_where_it_is_one_here(tmp_path: Path) -> None:
    theirs = exported(tmp_path, character(unknown=False))
    assert theirs.encode("ab").ids == character(unknown=False).encode("ab")
    with pytest.raises(Exception, match="Missing"):
        theirs.encode("aЩ")


def test_a_byte_level_file_is_taken_as_it_is(tmp_path: Path) -> None:
    ours = HuggingFaceTokenizer.train([ALPHABET * 40], tokenizer_config(vocab_size=262))
    theirs = exported(tmp_path, ours)
    assert (tmp_path / "ours/tokenizer.json").read_bytes() == (
        tmp_path / "theirs/tokenizer.json"
    ).read_bytes()
    assert theirs.encode("a<|endoftext|>🙂").ids == ours.encode("a<|endoftext|>🙂")


def test_without_an_end_of_document_none_is_named(tmp_path: Path) -> None:
    exported(
        tmp_path,
        CharacterTokenizer.train([ALPHABET], tokenizer_config(kind="character", end_of_document=False)),
    )
    settings = json.loads((tmp_path / "theirs" / "tokenizer_config.json").read_text())
    assert not {"bos_token", "eos_token", "unk_token"} & set(settings)
