"""What each ingredient of the preset `shakespeare_cpu` gives: one change at a time, several seeds.

Prints the held-out loss of each row, and its difference from the recipe by seeds in pairs: the mean, and the
half-width of its 95 % interval (Student's t).

    python benchmarks/ingredients.py TEXT [--seeds 1 2 3]
"""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nanogpt

from reprolm.compare.groups import interval

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
        apart = interval([ours - theirs for ours, theirs in zip(losses, base, strict=True)])
        against = f"{apart.mean:+.3f}" + ("" if apart.half is None else f" ± {apart.half:.3f}")
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
