"""Two processes of one thread each beside one process of one thread: tokens a second, and the same curve.

Run after `make repro`: `python benchmarks/processes.py`. In turn; the default model with another batch.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

STEPS, WARMUP, ROUNDS = 30, 5, 3


class Curve:
    """A recorder that keeps the losses."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def point(self, _: int, values: Any, at: float) -> None:  # noqa: ARG002
        """A point of it."""
        self.losses.append(values["train/loss"])


def train(processes: int, batch_size: int, folder: Path) -> None:
    """Trains, and tells in process 0 what the steps took."""
    from training import parameters, run

    from reprolm.device import device
    from reprolm.train.loop import Trainer
    from reprolm.train.together import together

    params = parameters(train={
        "steps": STEPS, "warmup_steps": WARMUP, "log_every_steps": 1, "processes": processes,
        "validate_every_steps": STEPS, "checkpoint_every_steps": STEPS, "batch_size": batch_size,
    })  # fmt: skip
    curve = Curve()
    with together(folder, processes, on := device(1)) as world:
        trainer = Trainer(run(params, on, world=world), folder, curve)
        trainer.fit()
        if world.leads:
            print(json.dumps([list(trainer.watch.series.columns["seconds"])[WARMUP:], curve.losses]))


def main(batch_size: int) -> None:
    """Prints the table."""
    from training import parameters

    context = parameters()["model"]["context_length"]
    took: dict[int, list[float]] = {1: [], 2: []}
    losses: dict[int, list[float]] = {}
    for _ in range(ROUNDS):
        for processes in took:
            with tempfile.TemporaryDirectory() as folder:
                command = [
                    sys.executable, __file__, "--batch-size", str(batch_size), "--processes", str(processes),
                    "--folder", folder,
                ]  # fmt: skip
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            seconds, losses[processes] = json.loads(done.stdout.splitlines()[-1])
            took[processes] += seconds
    print("| processes | median ms a step | tokens/s | against one |\n|---|---|---|---|")
    for processes, seconds in took.items():
        median = statistics.median(seconds)
        ratio = statistics.median(took[1]) / median
        print(f"| {processes} | {1000 * median:.0f} | {batch_size * context / median:,.0f} | {ratio:.2f} |")
    apart = max(abs(a - b) for a, b in zip(losses[1], losses[2], strict=True))
    print(f"\nThe losses of {STEPS} steps differ by at most {apart:.1e} nats.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--processes", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.processes:
        train(options.processes, options.batch_size, options.folder / "run")
    else:
        main(options.batch_size)
