"""Git, asked by a program: it neither writes the index beside the user's own git nor speaks as he set it."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from reprolm.errors import Exit, refuse

PATCH = (
    *("diff", "--binary", "-U3", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames"),
    *("--no-relative", "--submodule=short", "--src-prefix=a/", "--dst-prefix=b/"),
)
"""A patch that `git apply` takes: each of these can be set otherwise for a user, and then it takes none."""


def run(
    *words: str, at: Path | None = None, input: bytes | None = None, index: Path | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """Runs git in a folder, with another index than the repository's if one is given.

    Raises:
        OSError: there is no git.
    """
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    environment.pop("GIT_DIFF_OPTS", None)  # stronger than any word of a command
    if index is not None:
        environment["GIT_INDEX_FILE"] = str(index)
    return subprocess.run(
        ["git", *words], cwd=at, input=input, capture_output=True, env=environment, check=False
    )


def git(*words: str, at: Path, input: bytes | None = None, index: Path | None = None) -> bytes:
    """What git says.

    Raises:
        ReprolmError: it cannot, or is not there (exit 66).
    """
    try:
        done = run(*words, at=at, input=input, index=index)
    except OSError as error:
        raise refuse("git", "cannot be run", got=error, want="install git", exit=Exit.MISSING) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        got = said[-1] if said else f"exit {done.returncode}"
        raise refuse(f"git {words[0]}", "failed", got=got, exit=Exit.MISSING)
    return done.stdout


@contextlib.contextmanager
def aged(at: Path | None = None) -> Iterator[Path | None]:
    """A copy of the index with which git looks into every file; None where there is none to copy, or no room.

    The index tells a change by length and whole seconds, and DVC writes the index and then, within the same
    second, parameters of the same length. Git looks into files that are younger than its index.
    """
    index = (at or Path()) / os.fsdecode(said("rev-parse", "--git-path", "index", at=at).strip())
    with contextlib.ExitStack() as kept:
        old = None
        with contextlib.suppress(OSError):
            folder = kept.enter_context(tempfile.TemporaryDirectory())
            copy = shutil.copyfile(index, Path(folder) / "index")
            os.utime(copy, (1, 1))
            old = copy
        yield old


def diff(*words: str) -> bytes:
    """What git says, with a look into every file; nothing where there is no git."""
    with aged() as index:
        return said(*words, index=index)


def said(*words: str, at: Path | None = None, index: Path | None = None) -> bytes:
    """What git says, whether or not it calls that a success; nothing where there is no git."""
    try:
        return run(*words, at=at, index=index).stdout
    except OSError:
        return b""
