"""Kinds of tokenizers, and loading a published one."""

from pathlib import Path
from typing import Any

from reprolm.errors import Exit, refuse
from reprolm.store import read_json, verified
from reprolm.tokenizers.bytepair import BytePairTokenizer
from reprolm.tokenizers.bytes import BytesTokenizer
from reprolm.tokenizers.character import CharacterTokenizer
from reprolm.tokenizers.huggingface import HuggingFaceTokenizer
from reprolm.tokenizers.interface import FILE, Tokenizer

Trained = CharacterTokenizer | BytesTokenizer | BytePairTokenizer | HuggingFaceTokenizer
KINDS: dict[str, type[Trained]] = {
    "character": CharacterTokenizer,
    "bytes": BytesTokenizer,
    "bytepair": BytePairTokenizer,
    "huggingface": HuggingFaceTokenizer,
}


def load(directory: Path) -> Tokenizer:
    """The tokenizer of a directory, after its files were compared with the manifest.

    Raises:
        ReprolmError: it is missing (exit 66), damaged or of an unknown kind (exit 76).
    """
    path = verified(directory) / FILE
    kind = _kind(read_json(path))
    if kind not in KINDS:
        raise refuse(str(path), "is of an unknown kind", got=kind, want=", ".join(KINDS), exit=Exit.INTEGRITY)
    return KINDS[kind](path.read_text(encoding="utf-8"))


def _kind(content: Any) -> Any:
    """A file in the format of `tokenizers` names no kind, or others could not load it: ours states a pattern."""
    if not isinstance(content, dict) or "kind" in content:
        return content.get("kind") if isinstance(content, dict) else content
    pre_tokenizer = content.get("pre_tokenizer")
    return (
        "bytepair" if isinstance(pre_tokenizer, dict) and "pretokenizers" in pre_tokenizer else "huggingface"
    )
