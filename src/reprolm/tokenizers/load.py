"""Kinds of tokenizers, and loading a published one."""

from pathlib import Path

from reprolm.errors import Exit, refuse
from reprolm.store import read_json, verified
from reprolm.tokenizers.character import CharacterTokenizer
from reprolm.tokenizers.huggingface import HuggingFaceTokenizer
from reprolm.tokenizers.interface import FILE, Tokenizer

KINDS: dict[str, type[CharacterTokenizer | HuggingFaceTokenizer]] = {
    "character": CharacterTokenizer,
    "huggingface": HuggingFaceTokenizer,
}


def load(directory: Path) -> Tokenizer:
    """The tokenizer of a directory, after its files were compared with the manifest.

    Raises:
        ReprolmError: it is missing (exit 66), damaged or of an unknown kind (exit 76).
    """
    path = verified(directory) / FILE
    content = read_json(path)
    # a file in the format of `tokenizers` names no kind: others shall be able to load it
    kind = content.get("kind", "huggingface")
    if kind not in KINDS:
        raise refuse(str(path), "is of an unknown kind", got=kind, want=", ".join(KINDS), exit=Exit.INTEGRITY)
    return KINDS[kind](path.read_text(encoding="utf-8"))
