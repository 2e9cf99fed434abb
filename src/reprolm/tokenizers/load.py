"""Kinds of tokenizers, and loading a published one."""

from pathlib import Path

from reprolm.errors import Exit, refuse
from reprolm.store import read_json, verified
from reprolm.tokenizers.bytepair import BytePairTokenizer, pattern_of
from reprolm.tokenizers.character import CharacterTokenizer
from reprolm.tokenizers.huggingface import HuggingFaceTokenizer
from reprolm.tokenizers.interface import FILE, Tokenizer
from reprolm.tokenizers.raw import BytesTokenizer

KINDS: dict[str, type[CharacterTokenizer | BytesTokenizer | BytePairTokenizer | HuggingFaceTokenizer]] = {
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
    content = read_json(path)
    # a file in the format of `tokenizers` names no kind, for it would not be loaded there
    kind = content.get("kind") or ("bytepair" if pattern_of(content) else "huggingface")
    if kind not in KINDS:
        raise refuse(str(path), "is of an unknown kind", got=kind, want=", ".join(KINDS), exit=Exit.INTEGRITY)
    return KINDS[kind](path.read_text(encoding="utf-8"))
