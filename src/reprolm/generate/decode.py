"""Continuing a prompt, a token at a time, from a cache of keys and values."""

import torch
from jaxtyping import Int
from torch import Tensor

from reprolm.errors import refuse
from reprolm.generate.config import SampleConfig
from reprolm.generate.sampling import draw, probabilities
from reprolm.model.cache import Cache
from reprolm.model.transformer import Transformer
from reprolm.seeds import stream


@torch.no_grad()
def continued(
    model: Transformer, prompt: Int[Tensor, " T"], config: SampleConfig, seed: int, end: int | None = None
) -> list[list[int]]:
    """`config.draws` continuations of a prompt, each of at most `max_new_tokens` tokens, without the prompt.

    Draw d follows its own stream of uniform numbers, f(seed, prompt, d). A draw ends before the token `end`.
    When the context is full, its newer half is read again and generation goes on.

    Raises:
        ReprolmError: the prompt has no tokens (exit 65).
    """
    if not len(prompt):
        raise refuse("sample.prompts", "holds a prompt without tokens", want="at least one character")
    words = [str(token) for token in prompt.tolist()]
    generators = [
        torch.Generator().manual_seed(stream(seed, "sample", *words, index)) for index in range(config.draws)
    ]
    device = next(model.parameters()).device
    if config.dropout_active:
        torch.manual_seed(stream(seed, "dropout", *words))
        model.train()
    rows = prompt.to(device).expand(config.draws, -1)
    cache, unread = _fresh(model, rows)
    for _ in range(config.max_new_tokens):
        if cache.length + unread.shape[1] > model.config.context_length:
            cache, unread = _fresh(model, rows[:, -max(1, model.config.context_length // 2) :])
        p = probabilities(model(unread, cache, last=1)[:, -1].cpu(), config)
        uniform = torch.cat([torch.rand(1, generator=g, dtype=torch.float64) for g in generators])
        unread = draw(p, uniform)[:, None].to(device)
        rows = torch.cat([rows, unread], dim=1)
    model.eval()
    return [_until(row, end) for row in rows[:, len(prompt) :].tolist()]


def _fresh(model: Transformer, rows: Int[Tensor, "B T"]) -> tuple[Cache, Int[Tensor, "B T"]]:
    """An empty cache, and the tokens that must be read into it."""
    rows = rows[:, -model.config.context_length :]
    return Cache(model.config, len(rows), next(model.parameters())), rows


def _until(row: list[int], end: int | None) -> list[int]:
    return row[: row.index(end)] if end is not None and end in row else row
