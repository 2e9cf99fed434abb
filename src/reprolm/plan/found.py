"""What is on disk already that a plan can go by: the tokenizer, the tokens, the corpus."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprolm.config import section
from reprolm.corpus.config import DataConfig
from reprolm.data.shards import ACCOUNT, Tokens
from reprolm.errors import Exit, ReprolmError, refuse
from reprolm.store import MANIFEST, manifest, read_json
from reprolm.tokenizers.character import CharacterTokenizer
from reprolm.tokenizers.config import SIZED, TokenizerConfig
from reprolm.tokenizers.interface import Tokenizer
from reprolm.tokenizers.load import load

CORPUS, TOKENIZER, TOKENS = Path("data/corpus"), Path("data/tokenizer"), Path("data/tokens")
CORPUS_ACCOUNT = "corpus.json"


@dataclass(frozen=True)
class Found:
    """The vocabulary, where its size is from, and the data; None: not there, or made of other parameters."""

    vocab_size: int
    vocabulary: str
    training: Tokens | None
    validation: Tokens | None
    corpus_bytes: int | None
    tokens_bytes: int | None


def found(root: Path, params: Mapping[str, Any], vocab_size: int | None) -> Found:
    """What stands in a repository for these parameters.

    Raises:
        ReprolmError: nothing says how large the vocabulary is (exit 2).
    """
    config = section(params, "tokenizer", TokenizerConfig)
    trained = _fitting(root, params, config)
    if vocab_size is not None:
        size, vocabulary = vocab_size, "--vocab-size"
    elif trained is not None:
        size, vocabulary = trained.vocab_size, str(TOKENIZER)
    else:
        size, vocabulary = _expected(config)
    tokens = root / TOKENS
    digest = trained.digest if trained is not None and trained.vocab_size == size else None
    fits = digest is not None and (tokens / MANIFEST).is_file()
    fits = fits and read_json(tokens / ACCOUNT)["tokenizer_digest"] == digest
    return Found(
        size,
        vocabulary,
        Tokens(tokens, "train") if fits else None,
        Tokens(tokens, "validation") if fits else None,
        _published(root / CORPUS) if trained is not None else None,
        _published(tokens) if fits else None,
    )


def _fitting(root: Path, params: Mapping[str, Any], config: TokenizerConfig) -> Tokenizer | None:
    """The trained tokenizer, if these parameters would make one like it from the corpus that is there."""
    account = root / CORPUS / CORPUS_ACCOUNT
    source = section(params, "data", DataConfig).source
    if not account.is_file() or read_json(account).get("source") != source:
        return None
    try:
        trained = load(root / TOKENIZER)
    except ReprolmError:
        return None
    by_characters = config.known_size is None
    same = isinstance(trained, CharacterTokenizer) == by_characters
    same &= by_characters or trained.vocab_size == config.known_size
    same &= (trained.end_of_document is not None) == config.end_of_document
    return trained if same else None


def _expected(config: TokenizerConfig) -> tuple[int, str]:
    """The vocabulary's size as parameters alone tell it."""
    if config.known_size is None:
        want = "--vocab-size, or a trained tokenizer (65 for the characters of Tiny Shakespeare)"
        what = "has as many entries as the text has characters, which is not known"
        raise refuse("tokenizer.kind", what, got=config.kind, want=want, exit=Exit.PARAMETERS)
    where = "tokenizer.vocab_size" if config.kind in SIZED else f"tokenizer.kind: {config.kind}"
    return config.known_size, where


def _published(directory: Path) -> int | None:
    """The bytes of a published directory."""
    if not (directory / MANIFEST).is_file():
        return None
    return sum(int(entry["bytes"]) for entry in manifest(directory).values())
