import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from reprolm.corpus.read import open_corpus
from reprolm.data import encode as module
from reprolm.data import workers
from reprolm.data.config import EncodeConfig
from reprolm.data.encode import encode
from reprolm.data.shards import Tokens
from reprolm.errors import Exit, ReprolmError
from reprolm.store import directory_digest, verified
from reprolm.tokenizers import pieces
from reprolm.tokenizers.huggingface import HuggingFaceTokenizer
from reprolm.tokenizers.load import KINDS, load
from reprolm.tokenizers.train import train
from tests.corpus.test_build import STORIES, build, own, written
from tests.tokenizers.settings import tokenizer_config

CONFIG = EncodeConfig(shard_tokens=200)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    stories = [*STORIES, "It says <|endoftext|> here.", "<|endoftext|>"]
    build(own(written(folder / "texts", stories)), folder / "corpus", folder)
    return folder / "corpus"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end_of_document", [True, False])
def test_the_tokens_of_a_split_are_its_text(
    tmp_path: Path, corpus: Path, kind: str, end_of_document: bool
) -> None:
    config = tokenizer_config(kind=kind, end_of_document=end_of_document, character={"unknown": False})
    train(config, corpus, tmp_path / "tokenizer")
    metrics = encode(CONFIG, corpus, tmp_path / "tokenizer", tmp_path / "tokens")
    tokenizer = load(tmp_path / "tokenizer")
    verified(tmp_path / "tokens")
    for name, split in open_corpus(corpus).items():
        tokens = Tokens(tmp_path / "tokens", name)
        ids = tokens[:]
        assert tokenizer.decode_bytes(ids.tolist()) == bytes(split.content())
        assert tokens.token_bytes[ids].sum() == tokens.text_bytes == split.bytes
        assert tokens.documents == len(split)
        assert tokens.tokenizer_digest == tokenizer.digest
        assert tokens.vocab_size == tokenizer.vocab_size
        assert tokens.end_of_document == tokenizer.end_of_document
        assert metrics[f"{name}_tokens"] == len(tokens) == len(ids)
        assert metrics[f"{name}_bytes_per_token"] == split.bytes / len(tokens)
    assert metrics["tokens"] == sum(metrics[f"{name}_tokens"] for name in open_corpus(corpus))
    assert len(list((tmp_path / "tokens").glob("train-*.bin"))) > 2


def test_an_end_follows_each_document_and_stands_nowhere_else(tmp_path: Path, corpus: Path) -> None:
    train(tokenizer_config(), corpus, tmp_path / "tokenizer")
    encode(CONFIG, corpus, tmp_path / "tokenizer", tmp_path / "tokens")
    tokenizer = load(tmp_path / "tokenizer")
    for name, split in open_corpus(corpus).items():
        ids = Tokens(tmp_path / "tokens", name)[:]
        ends = np.flatnonzero(ids == tokenizer.end_of_document)
        found = [tokenizer.decode_bytes(part.tolist()) for part in np.split(ids, ends + 1)]
        assert found == [*split.documents(), b""]


def test_neither_batches_nor_pieces_change_the_tokens(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tokenizer_config(), corpus, tmp_path / "tokenizer")
    digests = set()
    for batch, piece in ((1 << 20, 1 << 16), (1, 1 << 16), (100, 64)):
        monkeypatch.setattr(module, "BATCH_CHARACTERS", batch)
        monkeypatch.setattr(pieces, "PIECE_BYTES", piece)
        encode(CONFIG, corpus, tmp_path / "tokenizer", tmp_path / "tokens")
        digests.add(directory_digest(tmp_path / "tokens"))
    assert len(digests) == 1


@pytest.mark.parametrize("kind", ["character", "huggingface"])
def test_processes_change_no_byte(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    train(tokenizer_config(kind=kind), corpus, tmp_path / "tokenizer")
    monkeypatch.setattr(module, "BATCH_CHARACTERS", 200)
    encode(CONFIG, corpus, tmp_path / "tokenizer", tmp_path / "alone")
    monkeypatch.setattr(workers, "FEWEST_BYTES", 0)
    monkeypatch.setattr(HuggingFaceTokenizer, "uses_all_cores", False)
    encode(CONFIG, corpus, tmp_path / "tokenizer", tmp_path / "together")
    assert directory_digest(tmp_path / "alone") == directory_digest(tmp_path / "together")


def test_an_error_in_a_process_is_the_same_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(own(written(tmp_path / "t", [STORIES[0] * 60 + "Щ"])), tmp_path / "corpus", tmp_path)
    train(tokenizer_config(kind="character"), tmp_path / "corpus", tmp_path / "tokenizer")
    monkeypatch.setattr(workers, "FEWEST_BYTES", 0)
    with pytest.raises(ReprolmError, match=r"U\+0429") as error:
        encode(CONFIG, tmp_path / "corpus", tmp_path / "tokenizer", tmp_path / "tokens")
    assert error.value.exit is Exit.DATA
    assert not (tmp_path / "tokens").exists()


def test_where_documents_begin_is_kept(tmp_path: Path, corpus: Path) -> None:
    train(tokenizer_config(end_of_document=False), corpus, tmp_path / "tokenizer")
    encode(CONFIG, corpus, tmp_path / "tokenizer", tmp_path / "tokens")
    tokenizer = load(tmp_path / "tokenizer")
    for name, split in open_corpus(corpus).items():
        tokens = Tokens(tmp_path / "tokens", name)
        bounds = tokens.document_offsets.astype(int).tolist()
        found = [tokenizer.decode_bytes(tokens[a:b].tolist()) for a, b in itertools.pairwise(bounds)]
        assert found == list(split.documents())


def test_the_account_describes_the_directory(tmp_path: Path, corpus: Path) -> None:
    train(tokenizer_config(), corpus, tmp_path / "tokenizer")
    encode(CONFIG, corpus, tmp_path / "tokenizer", tmp_path / "tokens")
    account = json.loads((tmp_path / "tokens" / "tokens.json").read_text())
    assert account["dtype"] == "uint16"
    assert account["vocab_size"] == 300
    for split in account["splits"].values():
        assert split["tokens"] == sum(split["shards"])
        assert max(split["shards"]) <= 200


def test_a_character_that_only_the_test_split_has_is_refused_and_nothing_published(tmp_path: Path) -> None:
    texts = [STORIES[0] * 60 + "Щ"]
    build(own(written(tmp_path / "t", texts)), tmp_path / "corpus", tmp_path)
    train(tokenizer_config(kind="character"), tmp_path / "corpus", tmp_path / "tokenizer")
    with pytest.raises(ReprolmError, match=r"U\+0429") as error:
        encode(CONFIG, tmp_path / "corpus", tmp_path / "tokenizer", tmp_path / "tokens")
    assert error.value.exit is Exit.DATA
    assert not (tmp_path / "tokens").exists()
