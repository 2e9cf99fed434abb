"""The source of a run in a clone of its own: commit, uncommitted changes, parameters."""

import contextlib
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from reprolm.errors import Exit, refuse
from reprolm.lineage.runs import Found
from reprolm.store import file_sha256
from reprolm.tracking import git
from reprolm.tracking.lineage import FILES, LEFT_OUT
from reprolm.tracking.record import PATCH

# a commit that no branch holds any more is fetched all the same
ANY_COMMIT = "git -c uploadpack.allowAnySHA1InWant=true upload-pack"


def patch_of(run: Found) -> bytes:
    """The uncommitted changes of a run, none if it had none.

    Raises:
        ReprolmError: it had some that were not kept (exit 66), or what is kept is not them (76).
    """
    tags = run.tags
    wanted = tags.get("git.dirty_sha256", "")
    if not wanted:
        return b""
    if LEFT_OUT in tags:
        raise refuse(str(PATCH), "does not hold all uncommitted changes of the run", got=tags[LEFT_OUT],
                     want="smaller changes, or a commit before a run", exit=Exit.MISSING)  # fmt: skip
    patch = run.file(PATCH)
    if patch is None:
        raise refuse(str(PATCH), "is not among the files of the run", want=wanted[:12], exit=Exit.MISSING)
    found = hashlib.sha256(patch).hexdigest()
    if found != wanted:
        what = "is not what the run was made with"
        raise refuse(str(PATCH), what, got=found[:12], want=wanted[:12], exit=Exit.INTEGRITY)
    return patch


def commit_of(run: Found, root: Path) -> str:
    """The commit of a run, after a look whether the repository has it.

    Raises:
        ReprolmError: the run names none, or the repository lacks it (exit 66).
    """
    commit = run.tags.get("git.commit", "")
    if not commit:
        raise refuse("git.commit", "the run has no such tag", want="a run made in a git repository",
                     exit=Exit.MISSING)  # fmt: skip
    if not git.said("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", at=root):
        raise refuse("git.commit", "this repository lacks it", got=commit, want="git fetch",
                     exit=Exit.MISSING)  # fmt: skip
    return commit


@contextlib.contextmanager
def made(root: Path, into: Path, commit: str, patch: bytes) -> Iterator[Path]:
    """Clones the repository to `into` as it was for a run; the workspace in it.

    Where the block fails, what was made is removed, so that the same command can be tried again.

    Raises:
        ReprolmError: `into` is in use (exit 74), or git fails (66).
    """
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise refuse(str(into), "is not empty", want="--into with a new folder", exit=Exit.STORAGE)
    there = into.exists()
    try:
        yield _clone(root, into, commit, patch)
    except BaseException:
        shutil.rmtree(into, ignore_errors=True)
        if there:
            into.mkdir()
        raise


def _clone(root: Path, into: Path, commit: str, patch: bytes) -> Path:
    top = Path(git.git("rev-parse", "--show-toplevel", at=root).decode().strip())
    below = Path(git.git("rev-parse", "--show-prefix", at=root).decode().strip())
    # clone.defaultRemoteName may call it otherwise
    git.git("clone", "--quiet", "--no-checkout", "--origin=origin", str(top), str(into.absolute()), at=root)
    git.git("fetch", "--quiet", "--upload-pack", ANY_COMMIT, "origin", commit, at=into)
    git.git("checkout", "--quiet", "--detach", commit, at=into)
    if patch:
        git.git("apply", "--whitespace=nowarn", at=into, input=patch)
    return into / below


def compare_files(workspace: Path, tags: Mapping[str, str]) -> None:
    """Refuses a clone whose parameters or environment lock are not those of the run (exit 76)."""
    for name, tag in FILES.items():
        if tag.endswith(".before") or tag not in tags:
            continue
        path = workspace / name
        got = file_sha256(path)[:12] if path.is_file() else "none"
        if got != tags[tag][:12]:
            raise refuse(name, "is not that of the run", got=got, want=tags[tag][:12], exit=Exit.INTEGRITY)
