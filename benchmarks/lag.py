"""How soon a point of a training's journal can be read in MLflow, over its REST API, while the training runs.

Run in the repository: `python benchmarks/lag.py [steps]`. Each step is a point; the server is asked ten times
a second, beside training and shipper, all on this machine. A point bears the time at which it was written.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src"), str(ROOT / "benchmarks")]
STEPS = 3000
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
KEY = "train/loss"
ASK_EVERY_SECONDS = 0.1


def train(root: Path, steps: int) -> None:
    """A training of a small model, and its shipper."""
    import outages

    outages.loop("healthy", root, steps)


def asked(address: str, path: str, **fields: object) -> dict[str, list[dict[str, int]]]:
    """An answer of the server, empty where it has none."""
    post = "search" in path
    query = "" if post else "?" + urllib.parse.urlencode(fields)
    request = urllib.request.Request(
        f"{address}/api/2.0/mlflow/{path}{query}", json.dumps(fields).encode() if post else None,
        {"Content-Type": "application/json"},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError:
        return {}


def watched(address: str, training: "subprocess.Popen[bytes]") -> dict[int, tuple[float, float]]:
    """For each step when its point was written and when it was first seen, in seconds since 1970."""
    found: dict[int, tuple[float, float]] = {}
    run = None
    while training.poll() is None:
        time.sleep(ASK_EVERY_SECONDS)
        if run is None:
            runs = asked(address, "runs/search", experiment_ids=["1"]).get("runs", [])
            run = runs[0]["info"]["run_id"] if runs else None  # type: ignore[index]
            continue
        history = asked(address, "metrics/get-history", run_id=run, metric_key=KEY, max_results=25_000)
        now = time.time()
        for point in history.get("metrics", []):
            found.setdefault(int(point["step"]), (point["timestamp"] / 1000, now))
    return found


def main(steps: int) -> None:
    from store import pages

    from reprolm.tracking.destination import connect

    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        (root / ".dvc").mkdir()
        connect(root)
        command = [sys.executable, __file__, "train", place, str(steps)]
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
        with pages(root) as address:
            found = watched(address, subprocess.Popen(command, cwd=root, env=kept, **QUIET))
    began = min(written for written, _ in found.values())
    print(f"{len(found)} points of {steps} seen\n")
    print("| points | count | median, s | longest, s |\n|---|---|---|---|")
    first_seen = min(seen for _, seen in found.values())
    groups = {
        "written while the shipper started": [each for each in found.values() if each[0] < first_seen],
        "written later": [each for each in found.values() if each[0] >= first_seen],
    }
    for words, points in groups.items():
        lags = [seen - written for written, seen in points]
        if lags:
            print(f"| {words} | {len(lags)} | {statistics.median(lags):.1f} | {max(lags):.1f} |")
    print(f"\nThe first point was seen {first_seen - began:.1f} s after it was written.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        train(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else STEPS)
