"""Models on disk: weights as safetensors, everything else as JSON; nothing that can run code."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from reprolm.config import section
from reprolm.distributed.layout import laid_as, whole
from reprolm.errors import Exit, ReprolmError, refuse
from reprolm.model.config import ModelConfig
from reprolm.model.transformer import Transformer
from reprolm.store import read_json, verified

WEIGHTS, CONFIG = "model.safetensors", "config.json"
FORMAT = 1


def weights(model: Transformer) -> dict[str, Tensor]:
    """The model's tensors by name; a tied head is the embedding and is stored once.

    Where processes hold parts of them, all must ask.
    """
    tensors = {name: whole(tensor.detach()).cpu().contiguous() for name, tensor in model.state_dict().items()}
    if model.config.tie_embeddings:
        del tensors["head.weight"]
    return tensors


def put_weights(model: Transformer, tensors: dict[str, Tensor]) -> None:
    """Copies stored tensors into the model."""
    if model.config.tie_embeddings:
        tensors = tensors | {"head.weight": tensors["embedding.weight"]}
    own = model.state_dict()
    model.load_state_dict(
        {name: laid_as(tensor, own[name]) if name in own else tensor for name, tensor in tensors.items()}
    )


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Tensors as a safetensors file, the same bytes for the same tensors."""
    path.write_bytes(save(tensors))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU.

    Raises:
        ReprolmError: it is not such a file (exit 76).
    """
    try:
        return tensors_of(path.read_bytes())
    except (SafetensorError, OSError) as error:
        raise refuse(str(path), "is not a safetensors file", got=error, exit=Exit.INTEGRITY) from error


def tensors_of(content: bytes) -> dict[str, Tensor]:
    """The tensors in the content of a safetensors file, on the CPU."""
    tensors: dict[str, Tensor] = load(content)
    return tensors


def save_model(
    directory: Path, model: Transformer, facts: dict[str, Any], tensors: dict[str, Tensor] | None = None
) -> None:
    """Writes the model and `facts` about it (the digest of its tokenizer, say) into an open directory.

    With `tensors`, those are its weights.
    """
    config = {"format": FORMAT, "vocab_size": model.vocab_size, "model": model.config.model_dump(), **facts}
    write_tensors(directory / WEIGHTS, weights(model) if tensors is None else tensors)
    (directory / CONFIG).write_text(json.dumps(config, indent=2) + "\n")


def load_model(directory: Path) -> tuple[Transformer, dict[str, Any]]:
    """A published model, verified, ready to be evaluated, and its `config.json`.

    Raises:
        ReprolmError: files are missing or damaged (exit 66, 76).
    """
    config = read_json(verified(directory) / CONFIG)
    if config.get("format") != FORMAT:
        raise refuse(str(directory / CONFIG), "has a format of another version", got=config.get("format"),
                     want=str(FORMAT), exit=Exit.INTEGRITY)  # fmt: skip
    try:
        options = section(config, "model", ModelConfig)
    except ReprolmError as error:
        what, want = "was made by another version of reprolm", "the code of its run (reprolm recreate)"
        got = error.problems[0]
        raise refuse(str(directory / CONFIG), what, got=got, want=want, exit=Exit.INTEGRITY) from error
    model = Transformer(options, config["vocab_size"])
    put_weights(model, read_tensors(directory / WEIGHTS))
    return model.eval(), config
