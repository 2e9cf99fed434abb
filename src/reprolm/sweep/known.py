"""Experiments of the same code that are there already: finished ones of `dvc exp list`, and those queued."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ruamel.yaml

from reprolm.errors import ReprolmError
from reprolm.params import acting
from reprolm.store import digest
from reprolm.tracking.git import aged, git

REFERENCE = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/(.+)")
RESULTS = ("params.yaml", "dvc.lock", "metrics", "plots", ".dvc/tmp")
"""What differs between experiments of the same code; the last is where DVC packs its own arguments."""


def _git(root: Path, *words: str) -> str:
    return git(*words, at=root).decode(errors="surrogateescape")


def _differing(root: Path, *words: str) -> list[str]:
    """Names of files that differ, by a look into each."""
    with aged(root) as index:
        listed = git("diff", "--name-only", "-z", *words, at=root, index=index)
    return [os.fsdecode(name) for name in listed.split(b"\0") if name]


def commit(root: Path) -> str:
    """That which is checked out."""
    return _git(root, "rev-parse", "HEAD").strip()


def finished(root: Path) -> dict[str, str]:
    """The experiments of the current commit, as `dvc exp list` has them: name to commit."""
    head = commit(root)
    lines = _git(root, "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").splitlines()
    found = {}
    for line in lines:
        made, reference = line.split(" ", 1)
        match = REFERENCE.fullmatch(reference)
        if match and match[1] + match[2] == head:
            found[match[3]] = made
    return found


def same_code(root: Path, commit: str) -> bool:
    """Whether the tracked files of the workspace are those of a commit, results and parameters apart."""
    paths = [".", *(f":(exclude){name}" for name in RESULTS)]
    return not _differing(root, commit, "--", *paths)


def params_of(root: Path, commit: str) -> dict[str, Any]:
    """The raw parameters in a commit."""
    text = _git(root, "cat-file", "blob", f"{commit}:./params.yaml")
    params: dict[str, Any] = ruamel.yaml.YAML(typ="safe", pure=True).load(text)
    return params


def identity(root: Path, commit: str) -> str | None:
    """That of the cell of which a commit holds the experiment; None where it is of other code or rules."""
    if not same_code(root, commit):
        return None
    try:
        return digest(acting(params_of(root, commit)))
    except ReprolmError:
        return None


def by_cell(root: Path, experiments: Iterable[tuple[str, str]]) -> Mapping[str, tuple[str, str]]:
    """(Name, commit) of experiments by the cell that each is of."""
    return {cell: (name, commit) for name, commit in experiments if (cell := identity(root, commit))}


def untracked_code(root: Path) -> list[str]:
    """Files of code that git does not know, and that no experiment will have."""
    listed = _git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", "src", "stages")
    return [name for name in listed.split("\0") if name]


def uncommitted(root: Path) -> list[str]:
    """Tracked files that differ from the last commit; an experiment starts from them as they are."""
    return _differing(root, "--relative", "HEAD", "--", ".")
