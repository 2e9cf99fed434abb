"""A folder that `transformers` loads: written, proved, published."""

import json
import shlex
import sys
from pathlib import Path

from safetensors.torch import save

from reprolm.errors import refuse
from reprolm.evaluate.pair import require_same
from reprolm.export.card import Origin, card
from reprolm.export.choose import layout_for
from reprolm.export.layout import Layout
from reprolm.export.parity import Parity, proved, require_transformers
from reprolm.export.questions import questions
from reprolm.export.vocabulary import write_tokenizer
from reprolm.model.storage import load_model, weights
from reprolm.model.transformer import Transformer
from reprolm.store import directory_digest, publish_directory
from reprolm.tokenizers.load import load


def export(model_at: Path, tokenizer_at: Path, tokens: Path, out: Path) -> tuple[Layout, Parity]:
    """Publishes `out`, a folder in the layout that fits the model, after it was proved on `tokens`.

    Raises:
        ReprolmError: no layout expresses the model (exit 2); `out` is there (65); model, tokenizer or
            `transformers` are missing (66); something is damaged, or the numbers are others (76).
    """
    require_transformers()
    if out.exists():
        raise refuse(str(out), "exists already", want="a new folder")
    model, facts = load_model(model_at)
    tokenizer = load(tokenizer_at)
    require_same(model_at, facts["tokenizer"], tokenizer.digest)
    layout = layout_for(model.config, model.vocab_size)
    asked = questions(model, tokenizer, tokens)
    command = shlex.join(["reprolm", "export", "hf", out.name])
    origin = Origin(directory_digest(model_at), tokenizer.digest, facts.get("step"), command)
    with publish_directory(out) as folder:
        write_model(model, layout, tokenizer.end_of_document, folder)
        write_tokenizer(tokenizer_at, tokenizer, model.config.context_length, folder)
        count, words = asked.windows.numel(), "tokens through transformers and here"
        print(f"export: {layout.name}; {count:,} {asked.source} {words}", file=sys.stderr)
        parity = proved(out, folder, model, tokenizer, asked)
        (folder / "README.md").write_text(card(model, layout, origin, asked, parity), encoding="utf-8")
    return layout, parity


def write_model(model: Transformer, layout: Layout, end: int | None, folder: Path) -> None:
    """Writes `config.json`, `generation_config.json` and `model.safetensors`."""
    config = layout.configuration(model.config, model.vocab_size, end)
    tensors = layout.converted(model.config, weights(model))
    generation = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end}
    for name, content in {"config.json": config, "generation_config.json": generation}.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
    stored = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    (folder / "model.safetensors").write_bytes(save(stored, metadata={"format": "pt"}))
