"""`reprolm recreate`: a run made again in a clone, and compared with what it was, link by link."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from reprolm.errors import Exit, ReprolmError, refuse
from reprolm.lineage import clone, environment, text
from reprolm.lineage.runs import Found, found
from reprolm.store import directory_digest, verified
from reprolm.tracking.pipeline import STAGES, stages_of
from reprolm.tracking.record import KEPT_LOCK, RECREATES
from reprolm.tracking.runs import SHORT

MODEL = "train"
DIGITS = 12


@dataclass(frozen=True)
class Link:
    """A link of the chain: what a stage made then, and what it made now (None: nothing)."""

    stage: str
    path: str
    then: str
    now: str | None

    @property
    def same(self) -> bool:
        """Whether it was made again."""
        return self.then == self.now

    def __str__(self) -> str:
        found = "the same" if self.same else f"{(self.now or 'not made')[:DIGITS]} now"
        return f"{'✓' if self.same else '✗'} {self.path:<17} {self.then[:DIGITS]} {found}"


def recreate(root: Path, word: str, into: Path | None, *, anyway: bool = False) -> list[Link]:
    """Makes a run again in a clone; returns when everything that it recorded is the same.

    Raises:
        ReprolmError: something that the run was made from is missing (exit 66) or another (76), the
            pipeline failed, or what it made is not what the run made (76).
    """
    run = found(root, word)
    if MODEL not in run.digests():
        want = "a run that trained a model or took one from the cache"
        raise refuse(f"run {run.name}", "names no model", got=run.run.info.status, want=want,
                     exit=Exit.MISSING)  # fmt: skip
    if not anyway:
        environment.refuse_other(run.tags)
    commit, patch = clone.commit_of(run, root), clone.patch_of(run)
    place = into or root.parent / f"{root.name}-{run.id[:SHORT]}"
    with clone.made(root, place, commit, patch) as workspace:
        print(f"recreate: {run.name} in {place}")
        print(f"recreate: commit {commit[:DIGITS]}, {len(patch):,} bytes of uncommitted changes")
        clone.compare_files(workspace, run.tags)
        _bring_text(run, root, workspace)
    for line in environment.differences(run.tags):
        print(f"recreate: note: {line}")
    failed = _repro(workspace, run)
    return _compared(run, workspace, failed)


def _bring_text(run: Found, root: Path, workspace: Path) -> None:
    """Own text as the run read it; without the lock of the run its corpus tells afterwards."""
    source = run.run.data.params.get("data.files.path")
    if source is None:
        return
    wanted = text.wanted(stages_of(run.file(KEPT_LOCK) or b""), source)
    if wanted is None:
        print(f"recreate: note: the run keeps no digest of {source}; its corpus will be compared")
        return
    print(f"recreate: {source}: {text.bring(*wanted, root, workspace)}")


def _repro(workspace: Path, run: Found) -> int:
    """Runs the pipeline, nothing of it from a cache; its exit code."""
    programs = Path(sys.executable).parent
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    variables = {"PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}", RECREATES: run.id}
    kept.pop("PYTHONPATH", None)  # the code is that of the clone
    command = [sys.executable, "-P", "-m", "dvc", "repro", "--force", "--no-run-cache"]
    return subprocess.run(command, cwd=workspace, env=kept | variables, check=False).returncode


def links(run: Found, workspace: Path) -> list[Link]:
    """What the stages of a run made then, beside what lies in a workspace now, in the pipeline's order."""
    made = []
    for stage, then in run.digests().items():
        output = STAGES[stage].output
        if output is None:
            continue
        try:
            now = directory_digest(verified(workspace / output))
        except ReprolmError:
            now = None
        made.append(Link(stage, str(output), then, now))
    return made


def _compared(run: Found, workspace: Path, failed: int) -> list[Link]:
    made = links(run, workspace)
    print("\n".join(map(str, made)))
    first = next((link for link in made if not link.same), None)
    if first is None and not failed:
        print(f"recreate: {run.name} is re-created: every digest is the same")
        return made
    where = f"run {run.name}"
    if first is None:
        raise refuse(where, "the pipeline failed", got=f"dvc repro exit {failed}", exit=Exit.DATA)
    what = f"{first.path} is the first that is not re-created"
    if first.now is None:
        raise refuse(where, what, got="not made", want=first.then[:DIGITS], exit=Exit.MISSING)
    raise refuse(where, what, got=first.now[:DIGITS], want=first.then[:DIGITS], exit=Exit.INTEGRITY)
