"""Which parameters a run changed: those that differ from the last commit's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ruamel.yaml

from reprolm.store import canonical
from reprolm.tracking import git
from reprolm.tracking.identity import Execution
from reprolm.tracking.location import root

COMMITTED = "HEAD:./params.yaml"


def committed() -> dict[str, Any]:
    """The raw parameters of the last commit, none where there is none."""
    try:
        content = git.said("cat-file", "blob", COMMITTED)
        found = ruamel.yaml.YAML(typ="safe", pure=True).load(content.decode())
    except (ValueError, ruamel.yaml.error.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def kept_by_experiment() -> bool:
    """Whether `dvc exp run` is at work here, and leaves a params.yaml that is not the last commit's."""
    if Execution.current().kind != "exp" or Path.cwd().resolve() != root():
        return False
    # not `git diff`: DVC writes git's index so that a change of one digit within a second goes unseen there
    before, now = git.said("cat-file", "blob", COMMITTED), Path("params.yaml")
    return bool(before) and now.is_file() and before != now.read_bytes()


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What is not as before, of flat parameters that act; one that acts only now counts as changed.

    >>> changed({"seed": 1, "train.steps": 40}, {"seed": 2, "train.steps": 40, "model.rope.theta": 1e4})
    'seed=2, model.rope.theta=10000.0'
    """
    missing = object()
    different = [name for name, value in now.items() if before.get(name, missing) != value]
    words = (now[name] if isinstance(now[name], str) else canonical(now[name]) for name in different)
    return ", ".join(f"{name}={word}" for name, word in zip(different, words, strict=True))
