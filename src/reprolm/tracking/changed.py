"""Which parameters a run changed: those that differ from the last commit's."""

import os
import subprocess
from collections.abc import Mapping
from typing import Any

import ruamel.yaml

from reprolm.store import canonical

COMMITTED = ("git", "show", "HEAD:./params.yaml")


def committed() -> dict[str, Any]:
    """The raw parameters of the last commit, none where there is none."""
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(COMMITTED, capture_output=True, env=environment, check=True)
        found = ruamel.yaml.YAML(typ="safe", pure=True).load(done.stdout.decode())
    except (OSError, ValueError, subprocess.CalledProcessError, ruamel.yaml.error.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What is not as before, of flat parameters that act; one that acts only now counts as changed.

    >>> changed({"seed": 1, "train.steps": 40}, {"seed": 2, "train.steps": 40, "model.rope.theta": 1e4})
    'seed=2, model.rope.theta=10000.0'
    """
    missing = object()
    different = [name for name, value in now.items() if before.get(name, missing) != value]
    words = (now[name] if isinstance(now[name], str) else canonical(now[name]) for name in different)
    return ", ".join(f"{name}={word}" for name, word in zip(different, words, strict=True))
