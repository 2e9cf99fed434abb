"""Time and memory of the loss and its gradients: ours in chunks beside torch's, in turn.

Run: `python benchmarks/cross_entropy.py [tokens vocabulary width]`.
"""

import json
import resource
import statistics
import subprocess
import sys
import time

import torch
from torch.nn.functional import cross_entropy, linear

from reprolm import device as devices
from reprolm.optim import loss
from reprolm.optim.loss import Head, summed_nats

ROUNDS, REPEATS = 2, 2
ARMS = {"torch": 0, "chunks of 4 MiB": 2**20, "chunks of 16 MiB": 2**22, "chunks of 64 MiB": 2**24}
"""By what they hold at once; logits of a chunk are float32."""


def measure(logits: int, sizes: list[int]) -> None:
    """Times one arm; prints JSON."""
    devices.device(2)
    N, V, D = sizes
    generator = torch.Generator().manual_seed(1)
    hidden, weight = (torch.randn(n, D, generator=generator) / D**0.5 for n in (N, V))
    targets = torch.randint(V, (N,), generator=generator)
    hidden.requires_grad_(), weight.requires_grad_()
    loss.CHUNK_LOGITS = logits
    before, seconds = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    for _ in range(REPEATS):
        hidden.grad = weight.grad = None
        began = time.perf_counter()
        total = (
            summed_nats(hidden, Head(weight), targets)[0]
            if logits
            else cross_entropy(linear(hidden, weight), targets, reduction="sum")
        )
        (total / N).backward()
        seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    result = {"seconds": min(seconds), "mib": peak / 1024, "loss": total.item() / N}
    print(json.dumps(result | {"norm": weight.grad.norm().item()}))


def main(sizes: list[str]) -> None:
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in ARMS}
    for _ in range(ROUNDS):
        for name, results in rows.items():
            command = [sys.executable, __file__, *sizes, str(ARMS[name])]
            results.append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
    print(f"{sizes[0]} tokens, vocabulary {sizes[1]}, width {sizes[2]}:\n")
    print("| loss and gradients | seconds | peak MiB | loss | gradient norm |\n|---|---|---|---|---|")
    for name, results in rows.items():
        row = [statistics.median(result[key] for result in results) for key in results[0]]
        print(f"| {name} | {row[0]:.2f} | {row[1]:.0f} | {row[2]:.6f} | {row[3]:.6f} |")


if __name__ == "__main__":
    *sizes, last = sys.argv[1:] or ["8192", "32000", "384", ""]
    numbers = [*sizes, last] if len(sizes) == 2 else sizes
    measure(int(last), list(map(int, sizes))) if len(sizes) == 3 and last else main(numbers)
