"""Keys and values of the tokens already seen, so that generating a token costs one token."""

import torch
from jaxtyping import Float
from torch import Tensor

from reprolm.model.config import ModelConfig


class Cache:
    """Room for `context_length` keys and values in every layer, allocated once; `length` tokens are in it."""

    def __init__(self, config: ModelConfig, batch_size: int, like: Tensor) -> None:
        shape = (config.n_layers, 2, batch_size, config.n_kv_heads, config.context_length, config.d_head)
        self._store = torch.zeros(shape, device=like.device, dtype=like.dtype)
        self.length = 0

    def extended(
        self, layer: int, key: Float[Tensor, "B G T K"], value: Float[Tensor, "B G T K"]
    ) -> tuple[Float[Tensor, "B G S K"], Float[Tensor, "B G S K"]]:
        """Writes the new keys and values of a layer behind the old ones and returns all of them.

        The length is the caller's to advance, after the last layer: every layer of a call sees the same one.
        """
        end = self.length + key.shape[-2]
        self._store[layer, 0, :, :, self.length : end] = key
        self._store[layer, 1, :, :, self.length : end] = value
        return self._store[layer, 0, :, :, :end], self._store[layer, 1, :, :, :end]
