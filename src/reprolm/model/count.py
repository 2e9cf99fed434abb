"""How large a model is: parameters by part, and floating-point operations a token."""

from reprolm.model.transformer import Transformer


def parameters(model: Transformer) -> dict[str, int]:
    """Trainable parameters by part and in all; a tied head is counted once, as the embedding."""
    parts = {"embedding": 0, "attention": 0, "feedforward": 0, "norm": 0, "head": 0}
    for name, tensor in model.named_parameters():
        part = next(p for p in parts if p in name.split(".")) if tensor.ndim > 1 else "norm"
        parts[part] += tensor.numel()
    return parts | {"total": sum(parts.values())}


def flops_per_token(model: Transformer) -> int:
    """Of a training step, forward and backward: 6·N + 12·L·D·T (Chowdhery et al. 2022, arXiv:2204.02311, B).

    N counts the matrices that multiply: the head, but not the look-up of the embedding; T is the context.
    """
    config = model.config
    looked_up = 0 if config.tie_embeddings else model.embedding.weight.numel()
    multiplied = sum(p.numel() for p in model.parameters() if p.ndim > 1) - looked_up
    return 6 * multiplied + 12 * config.n_layers * config.d_model * config.context_length
