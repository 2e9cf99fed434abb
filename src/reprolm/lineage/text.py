"""Own text that git may not track, brought into a clone after a look at its digest."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprolm.errors import Exit, refuse
from reprolm.lineage.content import dvc_digest
from reprolm.tracking import git

READER = "download"


def wanted(stages: Mapping[str, Any], source: str) -> tuple[str, str] | None:
    """Path and digest of the text that a run read, from its lock; None where it read none of its own."""
    entry = next((dep for dep in stages.get(READER, {}).get("deps", []) if dep["path"] == source), None)
    return (source, str(entry["md5"])) if entry else None


def bring(path: str, digest: str, origin: Path, clone: Path) -> str:
    """Makes `path` in the clone what the run read, from the original repository; says where it comes from.

    Raises:
        ReprolmError: the text is not there, or would be outside the clone (exit 66), or is another (76).
    """
    target, source = clone / path, origin / path
    if dvc_digest(target) == digest:
        # outside the repository git lists nothing
        tracked = git.said("ls-files", "--", str(target.resolve()), at=clone)
        return "as git tracks it" if tracked else "as it lies there, which git does not track"
    here = dvc_digest(source)
    if here is None:
        want = f"the text with the digest {digest[:12]}, which git does not track"
        raise refuse(f"data.files.path: {path}", "is not there", want=want, exit=Exit.MISSING)
    if here != digest:
        want = f"the text that the run read, {digest[:12]}"
        raise refuse(f"data.files.path: {path}", "is another text now", got=here[:12], want=want,
                     exit=Exit.INTEGRITY)  # fmt: skip
    if not target.resolve().is_relative_to(clone.resolve()):
        want = "--into with a folder beside the repository"
        raise refuse(f"data.files.path: {path}", "leads out of the clone to another text", want=want,
                     exit=Exit.MISSING)  # fmt: skip
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return "brought from the original repository"
