"""What is on disk, and whether it is of these parameters."""

from pathlib import Path
from typing import Any

import pytest

from reprolm.errors import ReprolmError
from reprolm.plan.found import found
from tests.plan.repositories import CHARACTERS, params, publish_data


def test_a_trained_tokenizer_that_fits_tells_the_vocabulary_and_its_tokens_are_used(tmp_path: Path) -> None:
    publish_data(tmp_path, tokens=500, held_out=50)
    here = found(tmp_path, params(tokenizer=CHARACTERS), None)
    assert (here.vocab_size, here.vocabulary) == (10, "data/tokenizer")
    assert here.training is not None
    assert here.validation is not None
    assert (len(here.training), len(here.validation)) == (500, 50)
    assert here.corpus_bytes is not None
    assert here.tokens_bytes is not None
    assert here.tokens_bytes > 2 * 550


@pytest.mark.parametrize(
    "changes",
    [
        {"tokenizer": {"kind": "huggingface"}},
        {"tokenizer": CHARACTERS | {"end_of_document": True, "kind": "bytes"}},
        {"tokenizer": CHARACTERS | {"kind": "bytes"}},
    ],
    ids=str,
)
def test_data_of_other_parameters_is_passed_over(tmp_path: Path, changes: dict[str, Any]) -> None:
    publish_data(tmp_path, tokens=500, held_out=50)
    here = found(tmp_path, params(**changes), None)
    assert here.vocabulary != "data/tokenizer"
    assert (here.training, here.validation, here.tokens_bytes, here.corpus_bytes) == (None,) * 4


def test_another_source_is_another_corpus(tmp_path: Path) -> None:
    publish_data(tmp_path, tokens=500, held_out=50, source="files")
    assert found(tmp_path, params(tokenizer=CHARACTERS), 65).training is None


def test_a_number_that_is_given_wins(tmp_path: Path) -> None:
    publish_data(tmp_path, tokens=500, held_out=50)
    here = found(tmp_path, params(tokenizer=CHARACTERS), 11)
    assert (here.vocab_size, here.vocabulary, here.training) == (11, "--vocab-size", None)
    assert found(tmp_path, params(tokenizer=CHARACTERS), 10).training is not None


@pytest.mark.parametrize(
    ("kind", "end_of_document", "entries"),
    [("huggingface", True, 4096), ("bytepair", False, 4096), ("bytes", True, 257), ("bytes", False, 256)],
)
def test_without_data_the_parameters_tell_the_vocabulary(
    tmp_path: Path, kind: str, end_of_document: bool, entries: int
) -> None:
    raw = params(tokenizer={"kind": kind, "end_of_document": end_of_document})
    assert found(tmp_path, raw, None).vocab_size == entries


def test_characters_without_a_text_are_refused_with_the_option_that_helps(tmp_path: Path) -> None:
    with pytest.raises(ReprolmError, match=r"tokenizer.kind: .*want --vocab-size.*65 for") as refused:
        found(tmp_path, params(tokenizer=CHARACTERS), None)
    assert refused.value.exit == 2
