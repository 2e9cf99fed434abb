"""The command `reprolm export hf`."""

from pathlib import Path

from reprolm.export.folder import export
from reprolm.export.record import record
from reprolm.store import directory_digest


def export_hf(root: Path, out: Path, model: Path | None, tokenizer: Path | None) -> None:
    """Exports the model of a repository, or another one, and tells what was proved.

    Raises:
        ReprolmError: as `folder.export`; there is no folder then.
    """
    model = model or root / "models" / "model"
    tokenizer = tokenizer or root / "data" / "tokenizer"
    layout, parity = export(model, tokenizer, root / "data" / "tokens", out.absolute())
    print(f"export: {out}, in the layout of {layout.name}; {parity}")
    numbers = {
        "export/logit_difference": parity.logit_difference,
        "export/greedy_tokens": float(parity.greedy_tokens),
        "export/perplexity_difference": parity.perplexity_difference,
    }
    print(f"export: {record(root, directory_digest(model), numbers)}")
