"""What a store costs a training, well or wrong in each known way: the loop's steps, timed one by one.

Run in the repository: `python benchmarks/outages.py [rounds] [--stores dead locked …]`. A training for each
store takes turns of some hundred steps, in random order; who sends a training's record, and the server it
sends to, work while it has its turn, and not beside the others. Stores are well in the warm-up, but for those
that are away from the start, and go wrong in the first turn after it. Every ratio is against the training
whose record nobody sends (`off`), with whose losses those of all are compared to the bit.
"""

import argparse
import contextlib
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import numpy as np
from arms import Arm, answer, ready
from numpy.typing import NDArray
from stores import KINDS, Store, sender, store, with_tables

if TYPE_CHECKING:
    from reprolm.tracking.mirror import Shipped

TURN, WARMUP_TURNS = 100, 6
"""Steps; then all have been sending for a while."""
BASELINE = "off"
RESAMPLES = 2000
Steps = NDArray[np.float64]


def loop(mode: str, root: Path, steps: int, stepped: Callable[[float], None] = lambda _: None) -> float:
    """Trains a small model in `root`; the seconds after its end until all of it was shown."""
    import torch
    from tests.train.runs import run

    from reprolm.tracking import shipper
    from reprolm.tracking.mirror import pending
    from reprolm.tracking.record import Record
    from reprolm.train.loop import Trainer

    torch.set_num_threads(1)

    class Recorder:
        def point(self, step: int, values: Mapping[str, float], at: float) -> None:
            record.add_point(step, values, round(at * 1000))
            stepped(values["train/loss"])

    spaced = {"checkpoint_every_steps": steps, "validate_every_steps": steps, "steps": steps}

    trainer = Trainer(run(root, batch_size=16, **spaced), root / "checkpoints", Recorder())
    record = Record(root, "train", {})
    assert record.directory is not None
    if mode != BASELINE:
        shipper.start(record.directory)
    trainer.fit()
    ended = time.perf_counter()
    while mode == "healthy" and pending(record.directory) and time.perf_counter() < ended + 60:
        time.sleep(0.05)
    shown = time.perf_counter() - ended
    signalled(root, signal.SIGKILL)
    return shown


def signalled(root: Path, number: signal.Signals) -> None:
    """Sends a signal to who sends the record of a training."""
    with contextlib.suppress(ProcessLookupError):
        if pid := sender(root):
            os.kill(pid, number)


def in_turns(mode: str, root: Path, turns: int) -> None:
    """A loop that makes so many steps for each line that it reads; answers with their seconds and losses."""
    moments: list[float] = []
    losses: list[float] = []

    def stepped(loss: float) -> None:
        moments.append(time.perf_counter())
        losses.append(loss)
        if len(moments) == 1:
            ready()
            input()
        elif len(moments) > TURN:
            answer([[after - before for before, after in itertools.pairwise(moments)], losses])
            moments.clear()
            losses.clear()
            input()
        else:
            return
        moments[:] = [time.perf_counter()]

    loop(mode, root, turns * TURN + 1, stepped)


class Training(Arm):
    """One of the trainings, and the milliseconds and losses of its steps, turn by turn."""

    def __init__(self, kind: str, to: Store, root: Path, turns: int) -> None:
        # a server whose turn is over answers in the next one: that is no silence
        variables = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "600"} if to.server else {}
        variables |= {"MLFLOW_TRACKING_URI": to.address} if to.address else {}
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
        arguments = [__file__, "loop", kind, str(root), str(turns)]
        super().__init__(*arguments, environment=kept | variables, cwd=root)
        self._root, self._to, self._turns = root, to, list[list[float]]()
        self.losses: list[float] = []
        while kind != BASELINE and not (self._shipped().offset or self._shipped().error):
            time.sleep(0.1)  # who sends imports MLflow
        self._both(signal.SIGSTOP)

    def _both(self, number: signal.Signals) -> None:
        """Sends a signal to who sends, and to the server."""
        self._to.signalled(number)
        signalled(self._root, number)

    def turn(self) -> None:
        """Makes the steps of a turn; in the first after the warm-up the store goes wrong."""
        self._both(signal.SIGCONT)
        if len(self._turns) == WARMUP_TURNS:
            self._to.goes_wrong()
        took, losses = self.ask(0)
        self._turns.append(took)
        self.losses += losses
        self._both(signal.SIGSTOP)

    def steps(self) -> Steps:
        """Of each turn after the warm-up."""
        return 1000 * np.array(self._turns[WARMUP_TURNS:])

    def _directory(self) -> Path:
        (directory,) = (self._root / ".reprolm" / "executions").iterdir()
        return directory

    def _shipped(self) -> "Shipped":
        from reprolm.tracking.mirror import Shipped

        return Shipped.of(self._directory())

    def taken(self) -> str:
        """How much of the record the store has, and what was last said of it."""
        from reprolm.tracking.record import JOURNAL

        shipped, written = self._shipped(), (self._directory() / JOURNAL).stat().st_size
        return f"{100 * shipped.offset / written:.0f} % {shipped.error}".strip()

    def end(self) -> None:
        """Ends it, and who sends."""
        signalled(self._root, signal.SIGKILL)
        super().end()


def compared(ours: Steps, off: Steps, measure: Callable[[Steps], float]) -> str:
    """The ratio of a measure of all steps, and its 95 % interval by resampling the rounds."""
    ratios = []
    for _ in range(RESAMPLES):
        rounds = np.random.default_rng(len(ratios)).integers(len(off), size=len(off))
        ratios.append(measure(ours[rounds]) / measure(off[rounds]))
    low, high = np.quantile(ratios, [0.025, 0.975])
    return f"{measure(ours) / measure(off):.3f} ({low:.3f}–{high:.3f})"


def measured(kinds: list[str], turns: int, place: Path) -> dict[str, Training]:
    """The trainings, after their turns."""
    (place / "tables").mkdir()
    with_tables(place / "tables")
    with contextlib.ExitStack() as open_stores:
        trainings: dict[str, Training] = {}
        for kind in kinds:
            to = open_stores.enter_context(store(kind, place / kind, place / "tables"))
            trainings[kind] = Training(kind, to, place / kind, turns + 1)
            open_stores.callback(trainings[kind].end)
        for _ in range(turns):
            for training in random.sample(list(trainings.values()), len(kinds)):
                training.turn()
    return trainings


def row(kind: str, ours: Training, off: Training) -> str:
    """What was found of one store."""
    steps, baseline = ours.steps(), off.steps()
    cells = [f"{each:.2f}" for each in (np.median(steps), np.quantile(steps, 0.99), steps.max())]
    cells += [compared(steps, baseline, measure) for measure in (np.mean, lambda x: np.quantile(x, 0.99))]
    cells += ["same" if ours.losses == off.losses else "OTHER", ours.taken()]
    return f"| {kind} | {' | '.join(cells)} |"


def main(rounds: int, stores: list[str]) -> None:
    """Prints a table."""
    kinds = list(dict.fromkeys([BASELINE, *stores]))
    with tempfile.TemporaryDirectory() as place:
        trainings = measured(kinds, WARMUP_TURNS + rounds, Path(place))
        print(
            "| store | median, ms | p99, ms | longest, ms | mean / off | p99 / off | losses | record taken |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for kind, training in trainings.items():
            print(row(kind, training, trainings[BASELINE]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["loop"]:
        in_turns(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
        parser.add_argument("rounds", type=int, nargs="?", default=60)
        parser.add_argument("--stores", nargs="+", choices=KINDS, default=list(KINDS), metavar="STORE")
        options = parser.parse_args()
        main(options.rounds, options.stores)
