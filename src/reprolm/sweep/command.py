"""`reprolm sweep`: checks a grid, says what it takes, queues it, waits, and tells what came of it."""

import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from reprolm.config import read_params
from reprolm.errors import Exit, Problem, ReprolmError, Stopped, refuse
from reprolm.sweep.cells import Cell, cells
from reprolm.sweep.grammar import axes, combinations, override
from reprolm.sweep.known import by_cell, commit, finished, identity, uncommitted, untracked_code
from reprolm.sweep.queue import Entry, Queue, State
from reprolm.sweep.screen import Screen
from reprolm.sweep.watch import Row, Watch, doing
from reprolm.tracking.destination import asking, connect
from reprolm.tracking.identity import GONE, is_dvc
from reprolm.tracking.runs import all_runs, word_for

LOOK_EVERY_SECONDS = 1.0
STOPPING_SECONDS = 60.0


def sweep(root: Path, words: Sequence[str], jobs: int, yes: bool) -> None:
    """Runs every combination once; those that have finished before are left as they are.

    Raises:
        ReprolmError: words or combinations are wrong (exit 2), something works in the workspace (75), or
            experiments failed (the exit code of the first one's stage).
        Stopped: by Ctrl-C; the same command goes on (exit 130).
    """
    grid = axes(words)
    made = cells(read_params(root / "params.yaml"), grid)
    same = len(combinations(grid)) - len(made)
    if same:
        print(f"{same} combinations are left out: what differs in them does not act")
    with Queue(root) as queue:
        done = by_cell(root, finished(root).items())
        old = [cell for cell in made if cell.id in done]
        rest = [cell for cell in made if cell.id not in done]
        for cell in old:
            print(f"{done[cell.id][0]} has finished before")
        names = [done[cell.id][0] for cell in old]
        if rest:
            again = shlex.join(["reprolm", "sweep", *words, *(["--jobs", str(jobs)] if jobs > 1 else [])])
            names += _run(queue, rest, jobs, yes=yes, again=again)
    if len(names) > 1:
        _sum_up(root, names)


def _run(queue: Queue, rest: Sequence[Cell], jobs: int, *, yes: bool, again: str) -> list[str]:
    """Queues what is not in the queue yet, and waits for all; returns the names."""
    here = [(entry.name, entry.rev) for entry in queue.entries() if not Row("", "", entry.state).over]
    waiting = by_cell(queue.root, here)
    new = [cell for cell in rest if cell.id not in waiting]
    others = len(here) - sum(cell.id in waiting for cell in rest)
    _announce(queue.root, rest, new, others, jobs)
    if not yes and not _agreed():
        raise Stopped(Exit.DONE)
    _refuse_busy(queue.root)
    states = queue.states()
    known = [waiting[cell.id] for cell in rest if cell.id in waiting]
    entries = [states.get(rev, Entry(rev, name, State.QUEUED)) for name, rev in known]
    steps = {cell.acting.get("train.steps") for cell in rest}
    total = next(iter(steps)) if len(steps) == 1 else None
    screen = Screen(lambda row: doing(row, total))
    watch = Watch(queue, entries)
    try:
        _add(queue, new, watch)
        queue.start(jobs)
        _wait(queue, watch, screen, jobs)
    except KeyboardInterrupt:
        _stop(queue, watch)
        counted = sum(row.state is State.FINISHED for row in watch.rows)
        print(
            f"\nstopped; {counted} of {len(rest)} have finished. What was trained is kept, and goes on with:"
        )
        print(f"  {again}")
        raise Stopped(Exit.INTERRUPTED) from None
    _tell_failed(watch.rows, again)
    return [row.name for row in watch.rows]


def _announce(root: Path, rest: Sequence[Cell], new: Sequence[Cell], others: int, jobs: int) -> None:
    from reprolm.sweep.cost import cost, told

    for line in told(cost(root, rest, jobs), len(rest), jobs):
        print(line)
    if len(new) < len(rest):
        print(f"{len(rest) - len(new)} of them are in the queue already")
    if others:
        print(f"{others} other experiment{'s are' if others > 1 else ' is'} in the queue and will run too")
    results = ("dvc.lock", "metrics/", "plots/")
    if dirty := [name for name in uncommitted(root) if not name.startswith(results)]:
        print(f"! they start from the workspace, with what no commit has: {_some(dirty)}")
    if lacking := untracked_code(root):
        print(f"! they will lack what git does not know (git add makes it part of them): {_some(lacking)}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _agreed() -> bool:
    """Asks, where somebody can answer."""
    if not sys.stdin.isatty():
        return True
    try:
        return input("go? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _refuse_busy(root: Path) -> None:
    """Queueing puts other contents into tracked files for a moment, under whatever runs in the workspace."""
    for process in psutil.process_iter():
        try:
            command, at = process.cmdline(), Path(process.cwd())
        except (*GONE, OSError):
            continue
        works = "repro" in command or ("run" in command and not {"--temp", "--queue"} & set(command))
        if is_dvc(command) and works and at.is_relative_to(root) and ".dvc/tmp" not in str(at):
            what, got = "works in the workspace", shlex.join(command[-4:])
            raise refuse(f"process {process.pid}", what, got=got, want="its end", exit=Exit.LOCKED)


def _add(queue: Queue, new: Sequence[Cell], watch: Watch) -> None:
    """Queues cells under names of their own; those that failed under such a name leave the queue."""
    taken = set(finished(queue.root)) | {row.name for row in watch.rows}
    states = queue.entries()
    taken |= {entry.name for entry in states if entry.state in (State.QUEUED, State.RUNNING)}
    failed = {entry.name: entry.rev for entry in states if entry.state is State.FAILED}
    for index, cell in enumerate(new):
        name = _free(cell.name, taken)
        if name in failed:
            queue.remove([failed[name]])
        entry = queue.add(name, [override(key, value) for key, value in cell.changes.items()])
        watch.rows.append(Row(entry.name, entry.rev, since=time.time()))
        taken.add(name)
        _verify(queue, entry, cell)
        print(f"queued {index + 1} of {len(new)}: {name}", flush=True)


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number behind it where it is another experiment's."""
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(each for each in numbered if each not in taken)


def _verify(queue: Queue, entry: Entry, cell: Cell) -> None:
    """What DVC wrote must be what was checked."""
    if identity(queue.root, entry.rev) != cell.id:
        queue.remove([entry.rev])
        got = ", ".join(override(key, value) for key, value in cell.changes.items())
        raise refuse(entry.name, "was queued with other values or code than were checked", got=got,
                     want="no edits while it is queued", exit=Exit.INTEGRITY)  # fmt: skip


def _wait(queue: Queue, watch: Watch, screen: Screen, jobs: int) -> None:
    while True:
        watch.look()
        screen.show(watch.rows)
        if all(row.over for row in watch.rows):
            return
        if watch.stalled():
            queue.start(jobs)
        time.sleep(LOOK_EVERY_SECONDS)


def _stop(queue: Queue, watch: Watch) -> None:
    """Takes what waits out of the queue and ends what runs, which leaves its checkpoints."""
    print("\nstopping: training writes a checkpoint first (Ctrl-C again: leave it to itself)", flush=True)
    deadline = time.monotonic() + STOPPING_SECONDS
    while time.monotonic() < deadline:
        watch.look()
        states = {state: [row.rev for row in watch.rows if row.state is state] for state in State}
        queue.remove(states[State.QUEUED])
        queue.kill(states[State.RUNNING])
        watch.rows = [row for row in watch.rows if row.state is not State.QUEUED]
        if not states[State.RUNNING] and not states[State.QUEUED]:
            return
        time.sleep(LOOK_EVERY_SECONDS)


def _sum_up(root: Path, names: Sequence[str]) -> None:
    """Compares what has finished, as `reprolm compare` does; says so, where it cannot be done now."""
    from reprolm.compare.command import compare

    words = list(names)
    try:
        words = _words(root, names)
        print(f"reprolm compare {shlex.join(words)}", end="\n\n", flush=True)
        compare(root, words, None)
    except ReprolmError as error:
        print(f"not compared yet: {error}; later: reprolm compare {shlex.join(words)}")


def _words(root: Path, names: Sequence[str]) -> list[str]:
    """By which words the runs of experiments are meant: their names may be those of other commits too."""
    to = connect(root)
    with asking(root):
        runs = all_runs(to)
    head = commit(root)
    return [word_for(name, runs, lambda run: run.data.tags.get("dvc.baseline_rev") == head) for name in names]


def _tell_failed(rows: Sequence[Row], again: str) -> None:
    failed = [row for row in rows if row.state is State.FAILED]
    if not failed:
        return
    print(f"{len(failed)} of {len(rows)} failed. Queue them again, training resumes:\n  {again}")
    first = failed[0].progress.exit
    # what was stopped is no end of this command
    known = Exit(first) if first in set(Exit) and 0 < first < Exit.INTERRUPTED else Exit.DATA
    raise ReprolmError([Problem(row.name, row.error) for row in failed], known)
