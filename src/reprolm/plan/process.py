"""What a process that trains holds besides its tensors: the interpreter, libraries, buffers of kernels."""

import psutil
import torch
from torch import nn

KERNELS_BYTES = 40_000_000
"""What kernels keep for themselves in larger steps, by what runs of several sizes showed."""


def process_bytes(device: torch.device) -> int:
    """Memory of this process, which has imported what training imports, after a first tiny step.

    To be asked before anything large is done here.
    """
    model = nn.Sequential(nn.Embedding(8, 8), nn.Linear(8, 8)).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    tokens = torch.zeros(2, 8, dtype=torch.long, device=device)
    nn.functional.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return int(psutil.Process().memory_info().rss) + KERNELS_BYTES
