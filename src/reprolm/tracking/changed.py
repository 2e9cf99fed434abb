"""Which parameters a run changed: those that differ from the last commit's."""

import re
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import ruamel.yaml

from reprolm.store import canonical
from reprolm.tracking import git
from reprolm.tracking.identity import Execution
from reprolm.tracking.location import root

COMMITTED = "HEAD:./params.yaml"
OVERRIDE = re.compile(r"(?:-S|--set-param)[ =]?['\"]?[+~]*([\w.]+)=")
"""The names of parameters in a command of `dvc exp run`."""


def _read(content: bytes) -> dict[str, Any]:
    try:
        found = ruamel.yaml.YAML(typ="safe", pure=True).load(content.decode())
    except (ValueError, ruamel.yaml.error.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def committed() -> dict[str, Any]:
    """The raw parameters of the last commit, none where there is none."""
    return _read(git.said("cat-file", "blob", COMMITTED))


def way_back() -> str:
    """What to type after `dvc exp run` has left refused values in params.yaml; nothing where it has not.

    What was edited before and no commit has is not to be lost by it.
    """
    execution, path = Execution.current(), Path("params.yaml")
    if execution.kind != "exp" or Path.cwd().resolve() != root() or not path.is_file():
        return ""
    # not `git diff`: DVC writes git's index so that a change of one digit within a second goes unseen there
    before, now = git.said("cat-file", "blob", COMMITTED), path.read_bytes()
    if not before or before == now:
        return ""
    kept, names = "params.yaml keeps the refused values", set(OVERRIDE.findall(execution.command))
    if _without(_read(before), names) != _without(_read(now), names):
        what = ", ".join(sorted(names)) or "them"
        return f"{kept} beside changes of yours that no commit has: set {what} back in it"
    # `git checkout` leaves the file as it is where DVC has written git's index within the same second
    return f"{kept}; as it was committed: git show {COMMITTED} >params.yaml"


def _without(params: Mapping[str, Any], names: Container[str], prefix: str = "") -> dict[str, Any]:
    return {
        key: _without(value, names, f"{prefix}{key}.") if isinstance(value, Mapping) else value
        for key, value in params.items()
        if f"{prefix}{key}" not in names
    }


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What is not as before, of flat parameters that act; one that acts only now counts as changed.

    >>> changed({"seed": 1, "train.steps": 40}, {"seed": 2, "train.steps": 40, "model.rope.theta": 1e4})
    'seed=2, model.rope.theta=10000.0'
    """
    missing = object()
    different = [name for name, value in now.items() if before.get(name, missing) != value]
    words = (now[name] if isinstance(now[name], str) else canonical(now[name]) for name in different)
    return ", ".join(f"{name}={word}" for name, word in zip(different, words, strict=True))
