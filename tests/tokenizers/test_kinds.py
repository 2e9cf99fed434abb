"""What holds for every kind of tokenizer."""

import functools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprolm.config import words
from reprolm.errors import Exit, ReprolmError
from reprolm.store import publish_directory
from reprolm.tokenizers.config import TokenizerConfig
from reprolm.tokenizers.interface import END_OF_DOCUMENT, Tokenizer
from reprolm.tokenizers.load import KINDS, load
from tests.tokenizers.settings import tokenizer_config

TEXT = (
    "The cat sat on the mat, where it's warm. Кот сидел на коврике. बिल्ली\r\n\n  <|endoftext|> 😀 19\t\0" * 20
)
KIND = pytest.mark.parametrize("kind", KINDS)
TEXTS = st.text(st.sampled_from(sorted(set(TEXT)))) | st.lists(st.sampled_from(TEXT.split())).map(" ".join)


@functools.cache
def trained(kind: str, end_of_document: bool = True) -> Tokenizer:
    return KINDS[kind].train([TEXT], tokenizer_config(kind=kind, end_of_document=end_of_document))


def test_every_word_of_the_parameter_has_its_class() -> None:
    assert tuple(KINDS) == words(TokenizerConfig.model_fields["kind"].annotation)


@KIND
@given(texts=st.lists(TEXTS))
def test_texts_come_back_one_by_one_and_together(kind: str, texts: list[str]) -> None:
    tokenizer = trained(kind)
    many = tokenizer.encode_many(texts)
    assert [tokenizer.decode(ids.tolist()) for ids in many] == texts
    assert [ids.tolist() for ids in many] == [tokenizer.encode(text) for text in texts]
    for text, ids in zip(texts, many, strict=True):
        assert ids.dtype == np.uint32
        assert tokenizer.token_bytes[ids].sum() == len(text.encode())


@KIND
@pytest.mark.parametrize("text", [END_OF_DOCUMENT, f"a{END_OF_DOCUMENT}t", f" {END_OF_DOCUMENT}\n" * 2])
def test_the_end_of_a_document_that_is_spelled_out_is_text(kind: str, text: str) -> None:
    tokenizer = trained(kind)
    assert tokenizer.end_of_document not in tokenizer.encode(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@KIND
def test_the_end_of_a_document_stands_for_no_bytes(kind: str) -> None:
    tokenizer = trained(kind)
    end = tokenizer.end_of_document
    assert end is not None
    assert tokenizer.token_bytes[end] == 0
    assert tokenizer.decode([end, *tokenizer.encode("cat"), end]) == "cat"
    assert trained(kind, end_of_document=False).end_of_document is None
    assert (trained(kind, end_of_document=False).token_bytes > 0).all()


@KIND
def test_no_two_entries_are_the_same(kind: str) -> None:
    tokenizer = trained(kind)
    entries = {tokenizer.decode_bytes([i]) for i in range(tokenizer.vocab_size)}
    assert len(entries) == tokenizer.vocab_size


@KIND
def test_a_prompt_that_is_no_unicode_is_refused(kind: str) -> None:
    with pytest.raises(ReprolmError, match=r"U\+DCE9 at position 3") as error:
        trained(kind).encode("cat\udce9")
    assert error.value.exit is Exit.DATA


@KIND
def test_what_was_saved_is_loaded_as_it_was(kind: str, tmp_path: Path) -> None:
    tokenizer = trained(kind)
    with publish_directory(tmp_path / "tokenizer") as out:
        tokenizer.save(out)
    again = load(tmp_path / "tokenizer")
    assert type(again) is KINDS[kind]
    assert (again.digest, again.encode(TEXT)) == (tokenizer.digest, tokenizer.encode(TEXT))
    assert (again.vocab_size, again.end_of_document) == (tokenizer.vocab_size, tokenizer.end_of_document)
