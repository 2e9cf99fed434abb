"""The weights that training starts from, each drawn from the stream of its own name.

Two models that differ in one part share every tensor of the same name and shape.
"""

import math

import torch

from reprolm.model.config import ModelConfig
from reprolm.model.transformer import Transformer
from reprolm.seeds import stream

RESIDUAL_OUTPUTS = ("attention.output.weight", "feedforward.down.weight")


def _standard_deviation(name: str, config: ModelConfig) -> float:
    """That of a matrix; like GPT-2, what is added to the residual stream is divided by √(2·n_layers)."""
    normal = config.normal
    if name.startswith("embedding."):
        return normal.embedding_standard_deviation
    if name.endswith(RESIDUAL_OUTPUTS):
        scale = 0.0 if normal.residual == "zero" else 1 / math.sqrt(2 * config.n_layers)
        return normal.standard_deviation * scale
    return normal.standard_deviation


def initialise(model: Transformer, seed: int) -> Transformer:
    """Fills the model's weights, N(0, σ²) for matrices and 1 for gains; the same on every device."""
    for name, tensor in model.named_parameters():
        if tensor.ndim == 1:
            torch.nn.init.ones_(tensor)
            continue
        generator = torch.Generator().manual_seed(stream(seed, "initialise", name))
        values = torch.randn(tensor.shape, generator=generator) * _standard_deviation(name, model.config)
        with torch.no_grad():
            tensor.copy_(values)
    return model
