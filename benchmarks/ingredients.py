"""What each ingredient of the preset `shakespeare_cpu` gives: one change at a time, several seeds.

Prints the held-out loss of each row, and its difference from the recipe by seeds in pairs: the mean, and the
half-width of its 95 % interval (Student's t).

    python benchmarks/ingredients.py TEXT [--seeds 1 2 3]
"""

import argparse
import math
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nanogpt

ROWS: dict[str, dict[str, dict[str, Any]]] = {
    "the recipe": {},
    "AdamW (rate 0.004) for all, no Muon": {"train": {"optimizer": "adamw", "learning_rate": 0.004}},
    "learned positions, not RoPE": {"model": {"position": "learned"}},
    "GELU, not squared ReLU": {"model": {"feedforward": "gelu"}},
    "cosine decay, not linear": {"train": {"schedule": "cosine"}},
    "no QK-norm": {"model": {"qk_norm": False}},
    "output projections that start small, not at zero": {"model": {"normal": {"residual": "scaled"}}},
    "LayerNorm, not RMSNorm": {"model": {"norm": "layernorm"}},
}
T975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""Student's t: the 0.975 quantile, by degrees of freedom."""


def loss(folder: Path, changes: dict[str, Any], seed: int) -> float:
    """Trains the preset with the changes; the loss over the held-out text."""
    step, held_out = nanogpt.ours(folder, changes, seed)
    for _ in range(nanogpt.preset_steps()):
        step()
    return held_out()


def row(title: str, losses: Sequence[float], base: Sequence[float]) -> str:
    """A line of the table."""
    mean, against = statistics.mean(losses), ""
    if losses != base:
        apart = [ours - theirs for ours, theirs in zip(losses, base, strict=True)]
        against = f"{statistics.mean(apart):+.3f}"
        if len(apart) > 1:
            against += f" ± {T975[len(apart) - 1] * statistics.stdev(apart) / math.sqrt(len(apart)):.3f}"
    return f"| {title} | {', '.join(f'{each:.3f}' for each in losses)} | {mean:.3f} | {against} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("text", help="Tiny Shakespeare")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    print("| change | held-out losses, nats | mean | against the recipe |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        nanogpt.prepare(Path(name), Path(options.text))
        base: list[float] = []
        for title, changes in ROWS.items():
            losses = [loss(Path(name), changes, seed) for seed in options.seeds]
            base = base or losses
            print(row(title, losses, base), flush=True)


if __name__ == "__main__":
    main()
