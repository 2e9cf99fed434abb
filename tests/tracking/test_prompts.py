"""Prompts that a vocabulary cannot write are refused long before the model is asked."""

from pathlib import Path
from typing import Any

import pytest

from reprolm.errors import Exit, ReprolmError
from reprolm.store import publish_directory
from reprolm.tokenizers.character import CharacterTokenizer
from reprolm.tracking.prompts import require_writable
from tests.tokenizers.settings import tokenizer_config


def params(*prompts: str, kind: str = "character") -> dict[str, Any]:
    return {"tokenizer": {"kind": kind}, "sample": {"prompts": list(prompts)}}


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """A published vocabulary of a few letters."""
    made = CharacterTokenizer.train(["the cat"], tokenizer_config(kind="character"))
    with publish_directory(tmp_path / "tokenizer") as out:
        made.save(out)
    return tmp_path / "tokenizer"


def test_every_prompt_with_another_character_is_a_line_that_names_parameter_and_character(
    tokenizer: Path,
) -> None:
    with pytest.raises(ReprolmError) as caught:
        require_writable(params("the cat", "the dog", "Ш"), tokenizer)
    first, second = map(str, caught.value.problems)
    assert first.startswith("sample.prompts: LATIN SMALL LETTER D, U+0064 at position 4, is not in the vocab")
    assert "got the dog; want characters that occur there" in first
    assert "CYRILLIC CAPITAL LETTER SHA" in second
    assert caught.value.exit is Exit.DATA


@pytest.mark.parametrize(
    "raw", [params("cat"), {}, params() | {"sample": {"prompts": 3}}, params("dog", kind="bytes")]
)
def test_what_can_be_written_is_not_refused_nor_what_check_refuses(
    tokenizer: Path, raw: dict[str, Any]
) -> None:
    require_writable(raw, tokenizer)


def test_a_vocabulary_that_cannot_be_read_is_left_to_the_stage_that_reads_it(tmp_path: Path) -> None:
    require_writable(params("dog"), tmp_path / "none")
