"""The experiments of a grid, each with its whole parameters, checked by the rules of `reprolm check`."""

import copy
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reprolm.errors import Exit, Problem, ReprolmError
from reprolm.names import short_names
from reprolm.params import acting
from reprolm.store import digest
from reprolm.sweep.grammar import Axis, combinations

LONGEST_NAME = 80


@dataclass(frozen=True)
class Cell:
    """One combination: what it changes, its raw parameters, and those of them that act."""

    name: str
    changes: Mapping[str, Any]
    params: Mapping[str, Any]
    acting: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Equal for cells whose runs are the same."""
        return digest(self.acting)


def leaves(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The parameters by dotted name, groups included as mappings."""
    flat: dict[str, Any] = {}
    for name, value in params.items():
        flat[f"{prefix}{name}"] = value
        if isinstance(value, Mapping):
            flat |= leaves(value, f"{prefix}{name}.")
    return flat


def cells(params: Mapping[str, Any], found: Sequence[Axis]) -> list[Cell]:
    """All combinations that differ in what acts, the first of equals.

    Raises:
        ReprolmError: a parameter is unknown or a combination impossible: a line for each thing (exit 2).
    """
    _refuse_unknown(params, found)
    labels, made = short_names([axis.key for axis in found]), combinations(found)
    varied = {axis.key for axis in found if len(axis.values) > 1} or {axis.key for axis in found}
    problems: dict[Problem, list[str]] = {}
    kept: dict[str, Cell] = {}
    for changes in made:
        whole = changed(params, changes)
        name = label({labels[key]: value for key, value in changes.items() if key in varied})
        try:
            cell = Cell(name, changes, whole, acting(whole))
        except ReprolmError as error:
            for problem in error.problems:
                problems.setdefault(problem, []).append(name)
        else:
            kept.setdefault(cell.id, cell)
    if problems:
        raise ReprolmError([_in(problem, names, len(made)) for problem, names in problems.items()],
                           Exit.PARAMETERS)  # fmt: skip
    return list(kept.values())


def _refuse_unknown(params: Mapping[str, Any], found: Sequence[Axis]) -> None:
    known, problems = leaves(params), []
    values = [name for name, value in known.items() if not isinstance(value, Mapping)]
    for axis in found:
        if axis.key not in known:
            last = axis.key.rpartition(".")[2]
            ends = [name for name in values if name.rpartition(".")[2] == last]
            near = ends or difflib.get_close_matches(axis.key, values, n=1, cutoff=0.5)
            hint = f"; did you mean {' or '.join(near[:3])}?" if near else ""
            problems.append(Problem(axis.key, f"unknown parameter{hint}"))
        elif isinstance(known[axis.key], Mapping):
            problems.append(Problem(axis.key, "is a group", want=f"one of it: {axis.key}.…"))
    if problems:
        raise ReprolmError(problems, Exit.PARAMETERS)


def _in(problem: Problem, names: list[str], count: int) -> Problem:
    """A problem with the combinations that have it, unless all do."""
    if len(names) == count:
        return problem
    where = names[0] if len(names) == 1 else f"{len(names)} of {count} combinations, the first {names[0]}"
    return Problem(problem.where, f"{problem.what}, in {where}", problem.got, problem.want)


def changed(params: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Raw parameters with some values replaced."""
    whole = copy.deepcopy(dict(params))
    for key, value in changes.items():
        *groups, last = key.split(".")
        place: Any = whole
        for group in groups:
            place = place[group]
        place[last] = value
    return whole


def label(values: Mapping[str, Any]) -> str:
    """A name that git takes for a reference, and that reads well in a table.

    >>> label({"learning_rate": 0.001, "position": "rope", "prompts": ["a b"]})
    'learning_rate=0.001,position=rope,prompts=a-b'
    """
    text = ",".join(f"{name}={_plain(value)}" for name, value in values.items())
    if len(text) > LONGEST_NAME:
        text = f"{text[: LONGEST_NAME - 9]}-{digest(dict(values))[:8]}"
    return text


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(_plain, value)) or "none"
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return re.sub(r"\.(?=\.|$)|\.lock$", "-", re.sub(r"[^\w.+-]+", "-", text)).strip("-.") or "empty"
