"""What a stage of a run published: from the workspace if it is still that, else from DVC's cache."""

import shutil
from pathlib import Path

from reprolm.errors import Exit, ReprolmError, refuse
from reprolm.lineage.claims import MD5, listed
from reprolm.lineage.deep import cache_of
from reprolm.lineage.runs import Found
from reprolm.store import directory_digest, verified
from reprolm.tracking.pipeline import STAGES, stages_of
from reprolm.tracking.record import KEPT_LOCK


def fetched(root: Path, run: Found, stage: str, folder: Path) -> Path:
    """The verified directory that `stage` published for a run; a copy in `folder` if it must be put together.

    Raises:
        ReprolmError: the run names none (exit 66), or neither workspace nor cache has it (66).
    """
    output, wanted = STAGES[stage].output, run.digests().get(stage)
    if output is None or wanted is None:
        raise refuse(f"run {run.name}", f"names nothing that {stage} made", exit=Exit.MISSING)
    try:
        if directory_digest(root / output) == wanted:
            return verified(root / output)
    except ReprolmError:
        pass  # the workspace has none, or a damaged one
    out = folder / output.name
    if _assembled(root, run, str(output), out) and directory_digest(verified(out)) == wanted:
        return out
    what = "is neither in the workspace nor in DVC's cache as the run made it"
    want = f"reprolm recreate {run.id[:8]}, or dvc exp apply {run.run.info.run_name}"
    raise refuse(str(output), what, want=want, exit=Exit.MISSING)


def _assembled(root: Path, run: Found, output: str, out: Path) -> bool:
    """Whether the directory could be put together from the objects that the lock of the run names."""
    stages = stages_of(run.file(KEPT_LOCK) or b"")
    made = {each["path"]: each.get(MD5, "") for stage in stages.values() for each in stage.get("outs", [])}
    cache = cache_of(root)
    files = listed(cache, made.get(output, "")) if made.get(output) else None
    for name, digest in (files or {}).items():
        source = cache / "files" / MD5 / digest[:2] / digest[2:]
        if not source.is_file():
            return False
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, out / name)
    return bool(files)
