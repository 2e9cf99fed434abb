"""What keeping freed memory is worth: steps of the default model with and without it, in turn.

Run after `make repro`: `python benchmarks/memory.py`.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
STEPS, ROUNDS = 40, 3


class Nobody:
    """A recorder that does not listen."""

    def point(self, step: int, values: Any, at: float) -> None:
        """Does nothing."""


def steps(keep: bool) -> None:
    """Times steps of the default model; prints JSON."""
    from reprolm import device as devices
    from reprolm.config import read_params, section
    from reprolm.data.shards import Tokens
    from reprolm.model.config import ModelConfig
    from reprolm.train.config import TrainConfig
    from reprolm.train.loop import Trainer
    from reprolm.train.run import Run

    if not keep:
        devices._keep_memory = lambda: None
    params = read_params(ROOT / "params.yaml")
    on = devices.device(params["threads"])
    splits = [Tokens(ROOT / "data" / "tokens", split) for split in ("train", "validation")]
    run = Run(section(params, "model", ModelConfig), section(params, "train", TrainConfig), 1, *splits, on)
    seconds, loss = [], 0.0
    with tempfile.TemporaryDirectory() as directory:
        trainer = Trainer(run, Path(directory), Nobody())
        for step in range(STEPS):
            began = time.perf_counter()
            loss = float(trainer.step.train_batch(step)["train/loss"])
            trainer.step.optim_step(step)
            seconds.append(time.perf_counter() - began)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    result = {
        "ms": 1000 * statistics.median(seconds),
        "system_s": usage.ru_stime,
        "mib": usage.ru_maxrss / 1024,
    }
    print(json.dumps(result | {"loss": loss}))


def main() -> None:
    rows: dict[str, list[dict[str, float]]] = {"kept": [], "given back": []}
    for _ in range(ROUNDS):
        for name, results in rows.items():
            done = subprocess.run(
                [sys.executable, __file__, name], capture_output=True, text=True, check=True
            )
            results.append(json.loads(done.stdout))
    print("| freed memory | ms a step | system seconds | peak MiB | last loss |\n|---|---|---|---|---|")
    for name, results in rows.items():
        ms, system, mib, loss = (statistics.median(result[key] for result in results) for key in results[0])
        print(f"| {name} | {ms:.0f} | {system:.1f} | {mib:.0f} | {loss:.9f} |")


if __name__ == "__main__":
    steps(sys.argv[1] == "kept") if len(sys.argv) > 1 else main()
