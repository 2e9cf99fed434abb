"""What the store costs a training while it is well, hangs, or is gone: the loop's steps, timed one by one.

Run in the repository: `python benchmarks/outages.py [rounds]`. All modes in each round, in random order;
every ratio is against the loop of the same round whose record nobody sends.
"""

import itertools
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
STEPS = 500
MODES = ("off", "healthy", "hanging", "dead")


def loop(mode: str, root: Path) -> None:
    """Trains a small model in `root`; prints the seconds of each step, and when all of it was shown."""
    import torch
    from tests.train.runs import run

    from reprolm.tracking import shipper
    from reprolm.tracking.mirror import pending
    from reprolm.tracking.record import Record
    from reprolm.train.loop import Trainer

    torch.set_num_threads(1)
    times: list[float] = []

    class Recorder:
        def point(self, step: int, values: Mapping[str, float], at: float) -> None:
            record.add("point", step=step, values=values, at=round(at * 1000))
            times.append(time.perf_counter())

    spaced = {"checkpoint_every_steps": STEPS, "validate_every_steps": STEPS, "steps": STEPS}
    trainer = Trainer(run(root, batch_size=16, **spaced), root / "checkpoints", Recorder())
    record = Record(root, "train", {})
    assert record.directory is not None
    if mode != "off":
        shipper.start(record.directory)
    trainer.fit()
    ended, shown = time.perf_counter(), None
    while mode == "healthy" and pending(record.directory) and time.perf_counter() < ended + 60:
        time.sleep(0.05)
    if mode == "healthy":
        shown = time.perf_counter() - ended
    print(json.dumps({"steps": [b - a for a, b in itertools.pairwise(times[5:])], "shown": shown}))
    lock = record.directory / ".lock"
    if lock.is_file():
        os.kill(int(lock.read_text().split()[1]), signal.SIGKILL)


def measured(mode: str, address: str) -> dict[str, float]:
    """The steps of one loop, in milliseconds."""
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / ".dvc").mkdir()
        variables = {"MLFLOW_TRACKING_URI": address} if address else {}
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
        done = subprocess.run(
            [sys.executable, __file__, "loop", mode, place], env=kept | variables, cwd=place, check=True,
            capture_output=True, text=True,
        )  # fmt: skip
        said = json.loads(done.stdout.splitlines()[-1])
    steps = sorted(1000 * seconds for seconds in said["steps"])
    ranked = {"median": steps[len(steps) // 2], "p99": steps[len(steps) * 99 // 100], "longest": steps[-1]}
    return ranked | {"mean": statistics.mean(steps), "shown": said["shown"] or 0.0}


def main(rounds: int) -> None:
    with socket.socket() as hanging, socket.socket() as closed:
        for each in (hanging, closed):
            each.bind(("127.0.0.1", 0))
        hanging.listen(1000)
        local = {"off": "", "healthy": ""}
        ports = {"hanging": hanging.getsockname()[1], "dead": closed.getsockname()[1]}
        addresses = local | {mode: f"http://127.0.0.1:{port}" for mode, port in ports.items()}
        found: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
        for _ in range(rounds):
            for mode in random.sample(MODES, len(MODES)):
                found[mode].append(measured(mode, addresses[mode]))
    print(
        "| store | median, ms | p99, ms | longest, ms | mean / off | p99 / off |\n|---|---|---|---|---|---|"
    )
    for mode, rows in found.items():
        cells = [f"{statistics.median(row[key] for row in rows):.2f}" for key in ("median", "p99", "longest")]
        for key in ("mean", "p99"):
            ratios = [row[key] / off[key] for row, off in zip(rows, found["off"], strict=True)]
            cells.append(f"{statistics.median(ratios):.3f}")
        print(f"| {mode} | {' | '.join(cells)} |")
    shown = statistics.median(row["shown"] for row in found["healthy"])
    print(f"\nThe last point of a loop was in the store {shown:.1f} s after it.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["loop"]:
        loop(sys.argv[2], Path(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
