"""Where the record of an execution lies: in the original repository, also when a copy of it runs."""

import os
from pathlib import Path

from reprolm.errors import Exit, refuse

PRIVATE = ".reprolm"
# where DVC puts the workspaces of queued and temporary experiments, below the original repository
WORKSPACES = Path(".dvc/tmp/exps")


def _repository(here: Path) -> Path:
    """The nearest directory with a `.dvc`, else `here`."""
    return next((path for path in (here, *here.parents) if (path / ".dvc").is_dir()), here)


def root(here: Path | None = None) -> Path:
    """The original repository.

    `DVC_ROOT` names it, but one that the user's shell exported comes through too and may name another
    repository. So it is believed only where the workspace lies among the experiments of the named one.
    """
    own = _repository((here or Path.cwd()).resolve())
    claimed = os.environ.get("DVC_ROOT")
    if claimed and own.is_relative_to((Path(claimed) / WORKSPACES).resolve()):
        return Path(claimed).resolve()
    originals = [path for path in own.parents if own.is_relative_to(path / WORKSPACES)]
    return originals[-1] if originals else own


def repository() -> Path:
    """The original repository, for a command.

    Raises:
        ReprolmError: the working directory is in none (exit 66).
    """
    found = root()
    if not (found / ".dvc").is_dir():
        raise refuse(str(found), "is in no repository", want="cd to a clone of reprolm", exit=Exit.MISSING)
    return found


def checkpoints(root: Path) -> Path:
    """Where the checkpoints of all trainings lie, each in a folder of its own."""
    return root / PRIVATE / "checkpoints"


def executions(root: Path) -> Path:
    """Where the journals of all executions lie."""
    return root / PRIVATE / "executions"
