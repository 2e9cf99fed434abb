"""What an exported folder is asked."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reprolm.data.encode import ShardWriter
from reprolm.data.shards import ACCOUNT, LENGTHS, Vocabulary, account
from reprolm.errors import Exit, ReprolmError
from reprolm.export.questions import GREEDY_TOKENS, Questions, questions
from reprolm.model.transformer import Transformer
from reprolm.store import publish_directory
from reprolm.tokenizers.character import CharacterTokenizer
from tests.settings import model_config
from tests.tokenizers.settings import tokenizer_config

TOKENIZER = CharacterTokenizer.train(["abcdefg "], tokenizer_config(kind="character"))


def asked(tokens: Path, length: int = 16) -> Questions:
    return questions(
        Transformer(model_config(context_length=length), TOKENIZER.vocab_size), TOKENIZER, tokens
    )


def validation(path: Path, count: int, digest: str = TOKENIZER.digest) -> Path:
    vocabulary = Vocabulary(TOKENIZER.vocab_size, TOKENIZER.end_of_document, digest)
    with publish_directory(path) as out:
        with ShardWriter(out, "validation", vocabulary, 1000) as writer:
            writer.add(np.arange(count) % 7)
            writer.end_document()
        numbers = {"documents": 1, "text_bytes": count, "shards": writer.shards}
        TOKENIZER.token_bytes.tofile(out / LENGTHS)
        (out / ACCOUNT).write_text(account(vocabulary, {"validation": numbers}))
    return path


@pytest.mark.parametrize("length", [2, 3, 16, 100, 128, 1000])
def test_enough_tokens_are_asked_for_whatever_the_context(tmp_path: Path, length: int) -> None:
    found = asked(tmp_path, length)
    assert found.source == "random"
    assert found.windows.shape[1] == length
    assert found.prompts.shape[1] + found.steps <= length
    assert found.prompts.shape[0] * found.steps >= GREEDY_TOKENS
    assert found.windows.max() < TOKENIZER.vocab_size


def test_text_of_the_validation_split_is_asked_where_there_is_some(tmp_path: Path) -> None:
    found = asked(validation(tmp_path / "tokens", 1000))
    assert found.source == "validation"
    assert torch.equal(found.windows.flatten(), torch.arange(found.windows.numel()) % 7)
    assert found.windows.numel() == 992


@pytest.mark.parametrize(("count", "digest"), [(100, TOKENIZER.digest), (1000, "another")])
def test_too_little_text_and_that_of_another_tokenizer_is_not(
    tmp_path: Path, count: int, digest: str
) -> None:
    assert asked(validation(tmp_path / "tokens", count, digest)).source == "random"


def test_damaged_tokens_are_refused(tmp_path: Path) -> None:
    tokens = validation(tmp_path / "tokens", 1000)
    with (tokens / LENGTHS).open("r+b") as file:
        file.write(b"x")
    with pytest.raises(ReprolmError) as caught:
        asked(tokens)
    assert caught.value.exit is Exit.INTEGRITY


def test_characters_that_the_vocabulary_lacks_are_left_out_of_the_texts(tmp_path: Path) -> None:
    texts = asked(tmp_path).texts
    assert set("".join(texts)) <= set("abcdefg ")
    assert "aedfe b" in texts
