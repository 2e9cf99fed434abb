"""A model together with the tokenizer that it was trained with."""

from pathlib import Path

from reprolm.errors import Exit, refuse
from reprolm.model.storage import load_model
from reprolm.model.transformer import Transformer
from reprolm.tokenizers.interface import Tokenizer
from reprolm.tokenizers.load import load


def require_same(directory: Path, trained_with: str, found: str) -> None:
    """Refuses a tokenizer, by its digest, that is not the one a model was trained with (exit 76)."""
    if trained_with != found:
        what = "was trained with another tokenizer"
        raise refuse(str(directory), what, got=found[:16], want=trained_with[:16], exit=Exit.INTEGRITY)


def load_pair(model: Path, tokenizer: Path) -> tuple[Transformer, Tokenizer]:
    """Both, verified.

    Raises:
        ReprolmError: something is missing (exit 66), damaged, or does not belong together (76).
    """
    loaded, facts = load_model(model)
    entries = load(tokenizer)
    require_same(model, facts["tokenizer"], entries.digest)
    return loaded, entries
