"""The decoder: tokens to logits."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from reprolm.errors import Exit, refuse
from reprolm.model.block import Block
from reprolm.model.cache import Cache
from reprolm.model.config import ModelConfig
from reprolm.model.context import Context, Trace, mask
from reprolm.model.norm import norm
from reprolm.model.position import position


class Transformer(nn.Module):
    """Embedding, `n_layers` blocks, a final norm, and the head that turns channels into logits."""

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.config, self.vocab_size = config, vocab_size
        self.embedding = nn.Embedding(vocab_size, config.d_model)
        self.recompute = False
        """Whether training keeps only what enters each block, and computes the rest again going backward."""
        self.position = position(config)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layers))
        self.norm = norm(config.d_model, config) if config.final_norm else nn.Identity()
        self.head = nn.Linear(config.d_model, vocab_size, bias=config.bias.head)
        if config.tie_embeddings:
            self.head.weight = self.embedding.weight

    def forward(
        self, tokens: Int[Tensor, "B T"], cache: Cache | None = None, last: int | None = None,
        documents: Int[Tensor, "B T"] | None = None, trace: Trace | None = None,
    ) -> Float[Tensor, "B _ V"]:  # fmt: skip
        """The logits of the token after each position (of the `last` positions alone, if given).

        With `documents`, a number for each token, a token sees only tokens of its own number. A `trace`
        collects what happens inside.

        Raises:
            ReprolmError: more tokens than the context holds (exit 65).
        """
        hidden = self.hidden(tokens, cache, documents, trace)
        return self.logits(hidden if last is None else hidden[:, -last:])

    def hidden(
        self, tokens: Int[Tensor, "B T"], cache: Cache | None = None,
        documents: Int[Tensor, "B T"] | None = None, trace: Trace | None = None,
    ) -> Float[Tensor, "B T D"]:  # fmt: skip
        """What the head reads: the residual stream after the last block, normalised."""
        at = cache.length if cache else 0
        if at + tokens.shape[1] > self.config.context_length:
            want = f"at most model.context_length = {self.config.context_length}"
            raise refuse("tokens", "are too many", got=at + tokens.shape[1], want=want, exit=Exit.DATA)
        x = self.dropout(self.position.placed(self.embedding(tokens), at))
        context = Context(self.position, at, mask(self.position, at, documents, tokens), cache, trace)
        for block in self.blocks:
            again = self.recompute and torch.is_grad_enabled()
            x = checkpoint(block, x, context, use_reentrant=False) if again else block(x, context)
        if cache:
            cache.length += tokens.shape[1]
        normed: Tensor = self.norm(x)
        return normed

    def logits(self, hidden: Float[Tensor, "B T D"]) -> Float[Tensor, "B T V"]:
        """c · tanh(head / c) with a soft cap c (Gemma 2, arXiv:2408.00118), else what the head says."""
        logits: Tensor = self.head(hidden)
        cap = self.config.logit_soft_cap
        return logits if cap is None else cap * torch.tanh(logits / cap)
