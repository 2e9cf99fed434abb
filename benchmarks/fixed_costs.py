"""What the frame costs: an idle `dvc repro` against DVC alone, checking parameters, a stage and its record.

Run in the repository after `make repro`: `python benchmarks/fixed_costs.py`. Timed in turn.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROUNDS = 5
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "1",
}


def seconds(command: list[str], cwd: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=cwd, env=ENVIRONMENT, check=True, capture_output=True)
    return time.perf_counter() - began


def paired(one: tuple[list[str], Path], other: tuple[list[str], Path]) -> dict[str, float]:
    """Medians of two commands run in turn, and of their ratios pair by pair."""
    pairs = [(seconds(*one), seconds(*other)) for _ in range(ROUNDS)]
    return {
        "seconds": statistics.median(a for a, _ in pairs),
        "peer_seconds": statistics.median(b for _, b in pairs),
        "ratio": statistics.median(a / b for a, b in pairs),
        "difference_seconds": statistics.median(a - b for a, b in pairs),
    }


def plain_pipeline(directory: Path) -> Path:
    """A repository with as many stages, each of which runs `true`."""
    stages = [f"  s{i}:\n    cmd: 'true'\n    deps: [{f's{i - 1}' if i else 'start'}]\n" for i in range(8)]
    stages = [stage + f"    outs: [s{i}]\n" for i, stage in enumerate(stages)]
    stages = [stage.replace("'true'", f"touch s{i}") for i, stage in enumerate(stages)]
    (directory / "dvc.yaml").write_text("stages:\n" + "".join(stages))
    (directory / "start").write_text("")
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "repro", "-q"]):
        seconds(command, directory)
    return directory


UNTRACKED = """
import runpy, sys
sys.path.insert(0, "stages")
import _stage
_stage.stage.Record = lambda *_: None
runpy.run_path(sys.argv[1], run_name="__main__")
"""
"""A stage without any record: neither journal nor sender."""
RECORDED = ("train_tokenizer", "sample", "report")


def stages(directory: Path) -> dict[str, dict[str, float]]:
    """Stages with their record, in an execution that each begins and ends itself, and without."""
    seconds(["git", "clone", "-q", str(ROOT), str(directory)], ROOT)
    for made in ("data", "models", "reports"):
        shutil.copytree(ROOT / made, directory / made, dirs_exist_ok=True)
    found = {}
    for name in RECORDED:
        script = f"stages/{name}.py"
        found[f"stage {name} / without record"] = paired(
            ([sys.executable, script], directory),
            ([sys.executable, "-c", UNTRACKED, script], directory),
        )
    return found


def main() -> None:
    directory = Path(tempfile.mkdtemp())
    python, torch = sys.executable, [sys.executable, "-c", "import torch"]
    none = [python, "-c", ""]
    results = {
        "idle dvc repro / DVC on 8 stages of touch": paired(
            (["dvc", "repro"], ROOT), (["dvc", "repro"], plain_pipeline(directory))
        ),
        "reprolm check / python": paired(([python, "-m", "reprolm", "check"], ROOT), (none, ROOT)),
        "import of training / import torch": paired(
            ([python, "-c", "import reprolm.tracking.stage, reprolm.train.publish"], ROOT), (torch, ROOT)
        ),
    }
    results |= stages(directory / "clone")
    shutil.rmtree(directory)
    print("| what | ours, s | peer, s | ratio | difference, s |\n|---|---|---|---|---|")
    for name, row in results.items():
        print(f"| {name} | {' | '.join(f'{row[key]:.2f}' for key in row)} |")
    print(json.dumps(results), file=sys.stderr)


if __name__ == "__main__":
    main()
