"""Threads that each take a share of a batch, beside threads that share each operation, in turn.

Run after `make repro`: `python benchmarks/threads.py [--busy 1]`, with so many others that want a core.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

TURNS, STEPS = 12, 10
ARMS = ("each operation is shared", "each takes a share of the batch")


def arm(name: str, folder: Path) -> None:
    """On each line that it reads it makes some steps of the default model, and tells what they took."""
    from training import Nobody, parameters, run, timed

    from reprolm.device import device, peak_bytes
    from reprolm.train.loop import Trainer

    params = parameters()
    on = device(params["threads"])
    threads = params["threads"] if name == ARMS[1] else 1
    trainer = Trainer(run(params, on, threads=threads), folder, Nobody())
    for index, _ in enumerate(sys.stdin):
        took, loss = timed(trainer, range(index * STEPS, (index + 1) * STEPS))
        print(json.dumps({"took": took, "loss": loss, "mib": peak_bytes(on) / 2**20}), flush=True)


def main(busy: int) -> None:
    found: dict[str, list[float]] = {name: [] for name in ARMS}
    last: dict[str, dict[str, float]] = {}
    with ExitStack() as stack:
        for _ in range(busy):
            stack.callback(subprocess.Popen([sys.executable, "-c", "while True: pass"]).kill)
        arms = {}
        for name in ARMS:
            place = stack.enter_context(tempfile.TemporaryDirectory())
            command = [sys.executable, __file__, "--arm", name, "--folder", place]
            arms[name] = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
            stack.callback(arms[name].kill)
        for turn in range(TURNS + 1):
            for name, process in arms.items():
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write("\n")
                last[name] = json.loads(process.stdout.readline())
                found[name] += last[name].pop("took") if turn else []  # type: ignore[operator]
    print("| threads | 10th percentile, ms a step | median | peak MiB | last loss |\n|---|---|---|---|---|")
    for name, took in found.items():
        tenth, median = statistics.quantiles(took, n=10)[0], statistics.median(took)
        print(f"| {name} | {tenth:.1f} | {median:.1f} | {last[name]['mib']:.0f} | {last[name]['loss']:.7f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--arm", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    arm(options.arm, Path(options.folder)) if options.arm else main(options.busy)
