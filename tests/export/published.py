"""Models and tokenizers as the pipeline leaves them."""

from pathlib import Path
from typing import Any

import torch

from reprolm.model.initialise import initialise
from reprolm.model.storage import save_model
from reprolm.model.transformer import Transformer
from reprolm.store import publish_directory
from reprolm.tokenizers.interface import Tokenizer
from tests.settings import model_config


def publish(root: Path, tokenizer: Tokenizer, **kinds: Any) -> Transformer:
    """A repository with a model and its tokenizer; no gain of the model is one, no bias zero."""
    model = initialise(Transformer(model_config(**kinds), tokenizer.vocab_size), seed=5).eval()
    for index, (name, tensor) in enumerate(model.named_parameters()):
        if tensor.ndim == 1:
            low = 0.5 if name.endswith("gain") else -0.5
            torch.nn.init.uniform_(tensor, low, low + 1, generator=torch.Generator().manual_seed(index))
    (root / ".dvc").mkdir(exist_ok=True)
    with publish_directory(root / "data" / "tokenizer") as out:
        tokenizer.save(out)
    with publish_directory(root / "models" / "model") as out:
        save_model(out, model, {"tokenizer": tokenizer.digest, "step": 40})
    return model
