"""Which run a word means, for all commands: `latest`, an id, its first four or more letters, or a name.

A name is that of the run in MLflow or of its experiment in DVC. Of several runs of one name the one that
finished is meant; where several did, none is.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from reprolm.errors import Exit, ReprolmError, refuse
from reprolm.tracking.destination import Destination, gone

if TYPE_CHECKING:
    from mlflow.entities import Run

LATEST = "latest"
FINISHED = "FINISHED"
SHORT = 8
"""So many letters of an id are shown, and tell runs apart."""
LEAST_ID = 4
MOST_LISTED = 5
A_TIME = 1000
WANT = "latest, or the id or the name of a run in MLflow (reprolm sync sends what is not there yet)"


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
            [to.experiment], wanted, max_results=A_TIME, order_by=["attributes.start_time DESC"],
            page_token=token,
        )  # fmt: skip
        found += page
        token = page.token
        if not token:
            return found


def meant(to: Destination, word: str, runs: "Sequence[Run]") -> "Run | None":
    """The run that a word means among those of the experiment; a whole id means one of any experiment.

    Raises:
        ReprolmError: several are meant (exit 2).
        MlflowException: the store does not answer.
    """
    if word == LATEST:
        return runs[0] if runs else None
    if re.fullmatch(r"[0-9a-f]{32}", word):
        return _by_id(to, word)
    named = [run for run in runs if word in names_of(run)]
    named = [run for run in named if run.info.status == FINISHED] or named
    begun = [run for run in runs if len(word) >= LEAST_ID and run.info.run_id.startswith(word)]
    several = named or begun
    if len(several) > 1:
        what = "names several runs" if named else "begins the ids of several runs"
        raise refuse("run", what, got=word, want=_listed(several), exit=Exit.PARAMETERS)
    return several[0] if several else None


def the(to: Destination, word: str) -> "Run":
    """The run that a word means.

    Raises:
        ReprolmError: none is (exit 66), or several are (2).
        MlflowException: the store does not answer.
    """
    runs = all_runs(to)
    run = meant(to, word, runs)
    if run is None:
        raise unknown(word, runs)
    return run


def unknown(word: str, runs: "Iterable[Run]", want: str = WANT) -> ReprolmError:
    """The error for a word that means no run, with the names that are most like it."""
    runs = list(runs)
    if not runs:
        want = "dvc repro first"
        return refuse("run", "is not known: nothing has been run yet", got=word, want=want, exit=Exit.MISSING)
    names = sorted({name for run in runs for name in names_of(run)})
    near = difflib.get_close_matches(word, names, n=3, cutoff=0.4)
    return refuse("run", "is not known", got=word, want=" or ".join(near) or want, exit=Exit.MISSING)


def word_for(name: str, runs: "Sequence[Run]", own: "Callable[[Run], bool]") -> str:
    """By which word to ask for the newest finished run of a name: the name, or an id where others bear it.

    Runs that are one's `own` come before others.
    """
    done = [run for run in runs if name in names_of(run) and run.info.status == FINISHED]
    best = next(filter(own, done), next(iter(done), None))
    return name if best is None or len(done) == 1 else str(best.info.run_id)[:SHORT]


def _by_id(to: Destination, id: str) -> "Run | None":
    from mlflow.exceptions import MlflowException

    try:
        run = to.client.get_run(id)
    except MlflowException as error:
        if not gone(error):
            raise
        return None
    return run if run.info.lifecycle_stage == "active" else None


def _listed(runs: "Sequence[Run]") -> str:
    lines = [
        f"{run.info.run_id[:SHORT]} ({run.info.status.lower()} "
        f"{datetime.fromtimestamp(run.info.start_time / 1000):%Y-%m-%d %H:%M})"
        for run in runs[:MOST_LISTED]
    ]
    more = f" and {len(runs) - MOST_LISTED} more" if len(runs) > MOST_LISTED else ""
    return f"one of {', '.join(lines)}{more}"
