from pathlib import Path

import pytest

from reprolm.corpus.read import open_corpus
from reprolm.errors import Exit, ReprolmError
from reprolm.store import directory_digest
from reprolm.tokenizers.load import KINDS, load
from reprolm.tokenizers.train import train
from tests.corpus.test_build import STORIES, build, own, written
from tests.tokenizers.settings import tokenizer_config


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    build(own(written(tmp_path / "texts", STORIES * 2)), tmp_path / "corpus", tmp_path)
    return tmp_path / "corpus"


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_trained_can_be_loaded(tmp_path: Path, corpus: Path, kind: str) -> None:
    metrics = train(tokenizer_config(kind=kind), corpus, tmp_path / "tokenizer")
    tokenizer = load(tmp_path / "tokenizer")
    assert isinstance(tokenizer, KINDS[kind])
    assert metrics["vocab_size"] == tokenizer.vocab_size
    text = str(open_corpus(corpus)["validation"].content(), "utf-8")
    assert tokenizer.decode(tokenizer.encode(text)) == text
    # pieces end where documents do, and here every document is one piece
    documents = [d.decode() for d in open_corpus(corpus)["validation"].documents()]
    tokens = sum(len(tokenizer.encode(d)) for d in documents)
    assert metrics["bytes_per_token"] == len(text.encode()) / tokens
    assert metrics["tokens_per_word"] == tokens / len(text.split())
    assert metrics["longest_entry_bytes"] == max(tokenizer.token_bytes)


def test_unused_entries_are_those_that_the_train_split_does_not_yield(tmp_path: Path, corpus: Path) -> None:
    metrics = train(tokenizer_config(), corpus, tmp_path / "tokenizer")
    tokenizer = load(tmp_path / "tokenizer")
    used = {i for d in open_corpus(corpus)["train"].documents() for i in tokenizer.encode(d.decode())}
    assert metrics["unused_entries"] == tokenizer.vocab_size - len(used) - 1
    assert train(tokenizer_config(kind="character"), corpus, tmp_path / "c")["unused_entries"] == 0


def test_validation_and_test_have_no_part_in_the_vocabulary(tmp_path: Path) -> None:
    texts = [STORIES[0] * 60 + "Щ" * 300]
    build(own(written(tmp_path / "t", texts)), tmp_path / "corpus", tmp_path)
    with pytest.raises(ReprolmError, match="CYRILLIC CAPITAL LETTER SHCHA") as error:
        train(tokenizer_config(kind="character"), tmp_path / "corpus", tmp_path / "tokenizer")
    assert error.value.exit is Exit.DATA
    assert not (tmp_path / "tokenizer").exists()
    unknown = tokenizer_config(kind="character", character={"unknown": True})
    train(unknown, tmp_path / "corpus", tmp_path / "tokenizer")


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_text_gives_the_same_file(tmp_path: Path, corpus: Path, kind: str) -> None:
    for name in ("a", "b"):
        train(tokenizer_config(kind=kind), corpus, tmp_path / name)
    assert directory_digest(tmp_path / "a") == directory_digest(tmp_path / "b")


@pytest.mark.parametrize("kind", KINDS)
def test_an_edited_file_is_refused(tmp_path: Path, corpus: Path, kind: str) -> None:
    train(tokenizer_config(kind=kind), corpus, tmp_path / "tokenizer")
    path = tmp_path / "tokenizer" / "tokenizer.json"
    path.write_text(path.read_text() + " ")
    with pytest.raises(ReprolmError) as error:
        load(tmp_path / "tokenizer")
    assert error.value.exit is Exit.INTEGRITY


def test_a_missing_tokenizer_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReprolmError) as error:
        load(tmp_path / "tokenizer")
    assert error.value.exit is Exit.MISSING
