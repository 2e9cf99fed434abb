import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprolm.errors import Exit, ReprolmError
from reprolm.tokenizers.character import CharacterTokenizer
from tests.tokenizers.settings import tokenizer_config

TEXT = "Кот и пёс\nनमस्ते, world 😀"


def trained(text: str = TEXT, **changes: object) -> CharacterTokenizer:
    return CharacterTokenizer.train([text], tokenizer_config(kind="character", **changes))


@given(st.text(st.sampled_from(sorted(set(TEXT)))))
def test_a_text_comes_back(text: str) -> None:
    tokenizer = trained()
    ids = tokenizer.encode(text)
    assert len(ids) == len(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.token_bytes[ids].sum() == len(text.encode())


def test_ids_are_the_places_of_the_sorted_characters() -> None:
    tokenizer = trained("banana\n", end_of_document=False)
    assert tokenizer.vocab_size == 4
    assert tokenizer.end_of_document is None
    assert tokenizer.encode("ban\n") == [2, 1, 3, 0]


def test_the_end_of_a_document_is_an_entry_of_no_bytes_that_text_never_yields() -> None:
    tokenizer = trained("<|endoftext|>", end_of_document=True)
    assert tokenizer.end_of_document == tokenizer.vocab_size - 1
    ids = tokenizer.encode("<|endoftext|>")
    assert tokenizer.end_of_document not in ids
    assert tokenizer.token_bytes[tokenizer.end_of_document] == 0
    assert tokenizer.decode([*ids, tokenizer.end_of_document]) == "<|endoftext|>"


def test_an_unseen_character_is_named_with_code_point_and_position() -> None:
    with pytest.raises(ReprolmError, match=r"SNOWMAN, U\+2603 at position 4") as error:
        trained().encode("Кот ☃")
    assert error.value.exit is Exit.DATA
    assert "tokenizer.character.unknown" in str(error.value)


def test_an_unseen_character_has_an_entry_where_it_is_asked_for() -> None:
    tokenizer = trained(character={"unknown": True}, end_of_document=True)
    ids = tokenizer.encode("К☃т")
    assert ids[1] == tokenizer.unknown == tokenizer.vocab_size - 1
    assert tokenizer.decode(ids) == "К\ufffdт"
    assert tokenizer.token_bytes[ids[1]] == 0


def test_the_file_is_json_that_a_reader_understands() -> None:
    content = json.loads(trained("ba")._serialized)
    assert content["characters"] == "ab"
