"""Which runs are meant: by the words of all commands, by a pattern of names, or by a filter of MLflow."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from reprolm.errors import Exit, ReprolmError, refuse
from reprolm.tracking.destination import Destination
from reprolm.tracking.runs import all_runs, meant, names_of, unknown

if TYPE_CHECKING:
    from mlflow.entities import Run

MOST_RUNS = 100
FILTER = re.compile(r"\b(params?|metrics?|tags?|attributes?)\.|\s([!<>]?=|[<>]|I?LIKE|IN)\s", re.IGNORECASE)
UNFINISHED = ("FAILED", "KILLED")
WANT = "latest, a run's id or name, a pattern like '*seed=1', or a filter of MLflow"


def _wrong(what: str, got: object, want: str) -> ReprolmError:
    return refuse("compare", what, got=got, want=want, exit=Exit.PARAMETERS)


def selected(to: Destination, words: Sequence[str]) -> "list[Run]":
    """The runs that `words` name, each once, in their order; patterns and filters leave out what failed.

    Raises:
        ReprolmError: a word names nothing (exit 66), or several runs; or fewer than two runs are left (2).
        MlflowException: the store does not answer.
    """
    everything = all_runs(to)
    chosen: dict[str, Run] = {}
    for word in words:
        one = meant(to, word, everything)
        for run in [one] if one is not None else _several(to, word, everything):
            chosen.setdefault(run.info.run_id, run)
    if not 2 <= len(chosen) <= MOST_RUNS:
        raise _wrong(
            "compares several runs", f"{len(chosen)} of the {len(everything)} there are", f"2 to {MOST_RUNS}"
        )
    return list(chosen.values())


def _several(to: Destination, word: str, everything: "Sequence[Run]") -> "list[Run]":
    """The runs that fit a pattern or a filter."""
    found: list[Run] = []
    if any(char in word for char in "*?["):
        found = [run for run in everything if any(fnmatchcase(name, word) for name in names_of(run))]
    if not found and FILTER.search(word):
        found = _filtered(to, word)
    if not found:
        raise unknown(word, everything, WANT)
    return [run for run in found if run.info.status not in UNFINISHED]


def _filtered(to: Destination, word: str) -> "list[Run]":
    from mlflow.exceptions import MlflowException

    try:
        return all_runs(to, word)
    except MlflowException as error:
        if error.error_code != "INVALID_PARAMETER_VALUE":
            raise
        raise _wrong("is no filter of MLflow", word, str(error).split("\n", 1)[0][:200]) from error
