"""How large a model is: parameters by part, those that a token uses, and operations a token."""

from reprolm.model.transformer import Transformer

PARTS = ("embedding", "position", "attention", "feedforward", "norm", "head")


def part(name: str) -> str:
    """The part that a parameter belongs to, by its name.

    >>> part("blocks.0.attention.query_norm.gain"), part("blocks.0.feedforward.up.bias")
    ('norm', 'feedforward')
    """
    words = name.split(".")
    return "norm" if words[-2].endswith("norm") else next(p for p in PARTS if p in words)


def parameters(model: Transformer) -> dict[str, int]:
    """Trainable parameters by part, in all, and `active`: those that one token goes through.

    A tied head is counted once, as the embedding; of a mixture's experts `top_k` are active.
    """
    parts = dict.fromkeys(PARTS, 0)
    for name, tensor in model.named_parameters():
        parts[part(name)] += tensor.numel()
    total = sum(parts.values())
    return parts | {"total": total, "active": total - _idle(model)}


def _idle(model: Transformer) -> int:
    """Parameters of the experts that a token does not choose."""
    moe = model.config.moe
    experts = sum(t.numel() for name, t in model.named_parameters() if ".experts." in name)
    return experts * (moe.n_experts - moe.top_k) // moe.n_experts


def flops_per_token(model: Transformer) -> int:
    """Of a training step, forward and backward: 6·N + 12·L·D·T (Chowdhery et al. 2022, arXiv:2204.02311, B).

    N counts the matrices that multiply: the head, but not the look-up of embedding and positions, and of the
    experts those that are chosen; T is the context.
    """
    config = model.config
    matrices = {name: t.numel() for name, t in model.named_parameters() if t.ndim > 1}
    looked_up = ("position.",) if config.tie_embeddings else ("position.", "embedding.")
    multiplied = sum(n for name, n in matrices.items() if not name.startswith(looked_up))
    idle = _idle(model) if config.feedforward == "moe" else 0
    return 6 * (multiplied - idle) + 12 * config.n_layers * config.d_model * config.context_length
