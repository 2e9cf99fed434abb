"""Which runs are meant: by id, by name, by a pattern of names, or by a filter of MLflow."""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from reprolm.errors import Exit, ReprolmError, refuse
from reprolm.tracking.destination import Destination

if TYPE_CHECKING:
    from mlflow.entities import Run

LEAST_ID = 4
MOST_RUNS = 100
FILTER = re.compile(r"\b(params?|metrics?|tags?|attributes?)\.|\s([!<>]?=|[<>]|I?LIKE|IN)\s", re.IGNORECASE)
UNFINISHED = ("FAILED", "KILLED")


def _wrong(what: str, got: object, want: str) -> ReprolmError:
    return refuse("compare", what, got=got, want=want, exit=Exit.PARAMETERS)


def names_of(run: "Run") -> set[str]:
    """What a run is called: in MLflow, and as an experiment of DVC."""
    return {name for name in (run.info.run_name, run.data.tags.get("dvc.exp_name")) if name}


def all_runs(to: Destination, wanted: str = "") -> "list[Run]":
    """All runs of the experiment that fit a filter, the newest first.

    Raises:
        MlflowException: the store does not answer, or the filter is none.
    """
    found: list[Run] = []
    token = None
    while True:
        page = to.client.search_runs(
            [to.experiment], wanted, max_results=1000, order_by=["attributes.start_time DESC"],
            page_token=token,
        )  # fmt: skip
        found += page
        token = page.token
        if not token:
            return found


def selected(to: Destination, words: Sequence[str]) -> "list[Run]":
    """The runs that `words` name, each once, in their order.

    A name that several runs bear is the newest of them that has finished; patterns and filters leave out what
    failed or was killed.

    Raises:
        ReprolmError: a word names nothing, or several runs; or fewer than two runs are left (exit 2).
    """
    everything = all_runs(to)
    chosen: dict[str, Run] = {}
    for word in words:
        for run in _meant(word, everything, lambda wanted: all_runs(to, wanted)):
            chosen.setdefault(run.info.run_id, run)
    if not 2 <= len(chosen) <= MOST_RUNS:
        raise _wrong("compares several runs", f"{len(chosen)} of {len(everything)}", f"2 to {MOST_RUNS}")
    return list(chosen.values())


def _meant(word: str, everything: "list[Run]", search: "Callable[[str], list[Run]]") -> "list[Run]":
    named = [run for run in everything if word in names_of(run)]
    if named:
        return [_best(named)]
    begun = [run for run in everything if len(word) >= LEAST_ID and run.info.run_id.startswith(word)]
    if len(begun) > 1:
        raise _wrong("several runs begin so", word, ", ".join(run.info.run_id[:12] for run in begun[:4]))
    if begun:
        return begun
    if any(char in word for char in "*?["):
        fitting = [run for run in everything if any(fnmatchcase(name, word) for name in names_of(run))]
        if fitting:
            return _finished(fitting)
    if FILTER.search(word):
        found = _filtered(word, search)
        if found:
            return _finished(found)
    known = sorted({name for run in everything for name in names_of(run)})
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.4)
    want = " or ".join(near) if near else "a run's id or name, a pattern like 'seed=*', or a filter of MLflow"
    raise _wrong("no run fits", word, want)


def _filtered(word: str, search: "Callable[[str], list[Run]]") -> "list[Run]":
    from mlflow.exceptions import MlflowException

    try:
        return search(word)
    except MlflowException as error:
        raise _wrong("is no filter of MLflow", word, str(error).split("\n", 1)[0][:200]) from error


def _best(runs: "list[Run]") -> "Run":
    return next((run for run in runs if run.info.status == "FINISHED"), runs[0])


def _finished(runs: "Iterable[Run]") -> "list[Run]":
    """Of runs that are called the same, the newest that has finished; none that failed."""
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        by_name.setdefault(run.data.tags.get("dvc.exp_name") or run.info.run_id, []).append(run)
    best = [_best(those) for those in by_name.values()]
    return [run for run in best if run.info.status not in UNFINISHED]
