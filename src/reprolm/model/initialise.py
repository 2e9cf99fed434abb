"""The weights that training starts from, each drawn from the stream of its own name.

Two models that differ in one part share every tensor of the same name and shape.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from reprolm.model.config import ModelConfig
from reprolm.model.transformer import Transformer
from reprolm.seeds import stream

RESIDUAL_OUTPUTS = ("attention.output.weight", "down.weight")
Draw = Callable[[str, Tensor, torch.Generator], Tensor]
"""The values of a parameter, from its name and its shape."""


def _normal(config: ModelConfig) -> Draw:
    """N(0, σ²) for matrices, 0 for biases.

    Like GPT-2, what is added to the residual stream is divided by √(2·n_layers) (Radford et al. 2019).
    """
    options = config.normal
    residual = {"scaled": 1 / math.sqrt(2 * max(1, config.n_layers)), "zero": 0.0, "same": 1.0}

    def draw(name: str, tensor: Tensor, generator: torch.Generator) -> Tensor:
        if name.endswith("bias"):
            return torch.zeros(tensor.shape)
        deviation = options.standard_deviation
        if name.startswith(("embedding.", "position.")):
            deviation = options.embedding_standard_deviation
        elif name.endswith(RESIDUAL_OUTPUTS):
            deviation *= residual[options.residual]
        return torch.randn(tensor.shape, generator=generator) * deviation

    return draw


def _torch(config: ModelConfig) -> Draw:
    """What torch gives to fresh layers: U(±1/√inputs) for matrices and biases, N(0, 1) for embeddings."""
    widths = {"attention.output": config.n_heads * config.d_head, "down": config.d_ff}

    def draw(name: str, tensor: Tensor, generator: torch.Generator) -> Tensor:
        if name.startswith(("embedding.", "position.")):
            return torch.randn(tensor.shape, generator=generator)
        part = name.rpartition(".")[0]
        inputs = next((width for end, width in widths.items() if part.endswith(end)), config.d_model)
        return (2 * torch.rand(tensor.shape, generator=generator) - 1) / math.sqrt(inputs)

    return draw


def _xavier(config: ModelConfig) -> Draw:
    """U(±√(6 / (inputs + outputs))) for matrices (Glorot & Bengio 2010), 0 for biases."""
    normal = _normal(config)

    def draw(name: str, tensor: Tensor, generator: torch.Generator) -> Tensor:
        if name.startswith(("embedding.", "position.")) or tensor.ndim == 1:
            return normal(name, tensor, generator)
        return (2 * torch.rand(tensor.shape, generator=generator) - 1) * math.sqrt(6 / sum(tensor.shape))

    return draw


SCHEMES: dict[str, Callable[[ModelConfig], Draw]] = {"normal": _normal, "torch": _torch, "xavier": _xavier}


def initialise(model: Transformer, seed: int) -> Transformer:
    """Fills the model's weights by the scheme that `model.initialisation` names; the same on every device.

    Norms start as they were made: gain 1, bias 0.
    """
    draw = SCHEMES[model.config.initialisation](model.config)
    drawn = {
        f"{name}.weight" for name, part in model.named_modules() if isinstance(part, nn.Embedding | nn.Linear)
    }
    drawn |= {f"{name}.bias" for name, part in model.named_modules() if isinstance(part, nn.Linear)}
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if name in drawn:
                generator = torch.Generator().manual_seed(stream(seed, "initialise", name))
                tensor.copy_(draw(name, tensor, generator))
    return model
