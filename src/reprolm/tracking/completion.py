"""Whether an execution did all that DVC was asked for, told from dvc.lock after its process is gone.

DVC writes a stage into dvc.lock when the stage has ended. A lock in which a stage was made from other bytes
than the stage before it left is that of an execution that was stopped between the two.
"""

import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from reprolm.tracking.pipeline import LOCK, stages_of

VALUED = {"--glob", "-n", "--name", "-S", "--set-param", "-C", "--copy-paths", "-m", "--message", "-j"}
"""Options of `dvc repro` and `dvc exp run` that a value follows."""


def targets(command: str) -> list[str]:
    """The stages that a command of DVC names; none where it means the whole pipeline.

    >>> targets("python -m dvc exp run -n name --queue -S seed=2 train"), targets("dvc repro -f")
    (['train'], [])
    """
    words = shlex.split(command)
    start = next((i for i, word in enumerate(words) if word in ("repro", "run")), len(words))
    after = list(zip(words[start:], words[start + 1 :], strict=False))
    return [word for before, word in after if not word.startswith("-") and before not in VALUED]


def _upstream(stages: Mapping[str, Any], wanted: Collection[str]) -> set[str]:
    """Of the stages in a lock those that are wanted, or that something wanted was made from."""
    maker = {out["path"]: name for name, stage in stages.items() for out in stage.get("outs", [])}
    reached: set[str] = set()
    waiting = [name for name in wanted if name in stages]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            deps = (dep["path"] for dep in stages[name].get("deps", []))
            waiting += [maker[path] for path in deps if path in maker]
    return reached


def consistent(stages: Mapping[str, Any], wanted: Collection[str] = ()) -> bool:
    """Whether each stage of a lock was made from what the others made; of those wanted and their sources."""
    reached = _upstream(stages, wanted or stages)
    made = {out["path"]: out.get("md5") for name in reached for out in stages[name].get("outs", [])}
    deps = [dep for name in reached for dep in stages[name].get("deps", [])]
    return all(made.get(dep["path"], dep.get("md5")) == dep.get("md5") for dep in deps)


def completed(root: Path, kind: str, command: str, ended: Mapping[str, int]) -> bool:
    """Whether an execution whose process is gone, and which did not close, did what it was asked for.

    `ended` are the stages that ended, and when, in milliseconds since 1970.
    """
    wanted = targets(command)
    if kind == "manual" or (wanted and all(name in ended for name in wanted)):
        return True
    if kind == "queue" or "--temp" in command:
        # in a workspace of its own an experiment always runs the closing stage
        return False
    path = root / LOCK
    if not ended or not path.is_file():
        return not ended
    if path.stat().st_mtime * 1000 < max(ended.values()):
        # DVC was gone before it wrote down the last stage
        return False
    return consistent(stages_of(path.read_bytes()), wanted)
