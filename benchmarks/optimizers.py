"""What a step of each optimizer takes, ours beside torch's, in turn: tenth percentiles.

Run: `python benchmarks/optimizers.py [threads]`.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from reprolm import device as devices
from reprolm.optim import adamw, lion, muon

ROUNDS = 15
SIZES = {"1M": (2, 96, 4096), "10M": (6, 384, 65)}
"""Layers, width and vocabulary of a decoder."""
Step = Callable[[], object]


def tensors(layers: int, width: int, vocab: int) -> list[nn.Parameter]:
    """Tensors of the shapes of a decoder, with gradients."""
    block = [(width, width)] * 4 + [(4 * width, width), (width, 4 * width), (width,), (width,)]
    made = [nn.Parameter(torch.randn(shape)) for shape in [(vocab, width)] * 2 + block * layers]
    for tensor in made:
        tensor.grad = torch.randn_like(tensor) / 100
    return made


@contextmanager
def all_at_once() -> Iterator[None]:
    """Lists of all tensors, as on a GPU, in place of one tensor after the other."""
    before = adamw.bundles
    adamw.bundles = lambda group: [(group["params"], [weight.grad for weight in group["params"]])]
    try:
        yield
    finally:
        adamw.bundles = before


def arms(size: tuple[int, int, int]) -> dict[str, Step]:
    """A step of each optimizer, each on tensors of its own."""
    rates = {"lr": 1e-3, "weight_decay": 0.1}
    adam = rates | {"betas": (0.9, 0.95)}
    ours = adamw.AdamW(tensors(*size), eps=1e-8, amsgrad=False, **adam)
    lists = adamw.AdamW(tensors(*size), eps=1e-8, amsgrad=False, **adam)

    def in_lists() -> None:
        with all_at_once():
            lists.step()

    matrices = [tensor for tensor in tensors(*size)[2:] if tensor.ndim == 2]
    return {
        "AdamW of torch, fused": torch.optim.AdamW(tensors(*size), fused=True, **adam).step,
        "AdamW of torch, foreach": torch.optim.AdamW(tensors(*size), foreach=True, **adam).step,
        "AdamW from scratch": ours.step,
        "AdamW from scratch, all tensors in one list": in_lists,
        "SGD of torch, fused": torch.optim.SGD(tensors(*size), momentum=0.9, fused=True, **rates).step,
        "Lion": lion.Lion(tensors(*size), **adam).step,
        "Muon, matrices of the blocks": muon.Muon(matrices, 0.02, 0.95, 0.0, 4).step,
    }


def main() -> None:
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    devices.device(threads)
    columns: dict[str, dict[str, float]] = {}
    for name, size in SIZES.items():
        steps = arms(size)
        seconds: dict[str, list[float]] = {arm: [] for arm in steps}
        for _ in range(ROUNDS):
            for arm, step in steps.items():
                began = time.perf_counter()
                step()
                seconds[arm].append(time.perf_counter() - began)
        columns[name] = {arm: 1000 * statistics.quantiles(all_, n=10)[0] for arm, all_ in seconds.items()}
    print(f"| ms a step, {threads} threads | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for arm in next(iter(columns.values())):
        print(f"| {arm} | " + " | ".join(f"{column[arm]:.2f}" for column in columns.values()) + " |")


if __name__ == "__main__":
    main()
