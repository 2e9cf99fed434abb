"""What keeping freed memory is worth: steps of the default model with and without it, in turn.

Run after `make repro`: `python benchmarks/memory.py`.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

STEPS, ROUNDS = 40, 3


def steps(keep: bool) -> None:
    """Times steps of the default model; prints JSON."""
    from training import Nobody, parameters, run, timed

    from reprolm import device as devices
    from reprolm.train.loop import Trainer

    if not keep:
        devices._keep_memory = lambda: None
    params = parameters()
    on = devices.device(params["threads"])
    with tempfile.TemporaryDirectory() as directory:
        took, loss = timed(Trainer(run(params, on), Path(directory), Nobody()), range(STEPS))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    result = {
        "ms": statistics.median(took),
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
