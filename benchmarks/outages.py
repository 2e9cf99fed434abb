"""What the store costs a training while it is well, hangs, or is gone: the loop's steps, timed one by one.

Run in the repository: `python benchmarks/outages.py [rounds]`. Four trainings take turns of some hundred
steps, in random order; who sends a training's record works while it has its turn, and not beside the others.
Every ratio is against the training whose record nobody sends.
"""

import contextlib
import itertools
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import numpy as np
from arms import Arm, answer, ready
from numpy.typing import NDArray

TURN, WARMUP_TURNS = 100, 6
"""Steps; by then MLflow is imported."""
MODES = ("off", "healthy", "hanging", "dead")
RESAMPLES = 2000
Steps = NDArray[np.float64]


def loop(mode: str, root: Path, steps: int, stepped: Callable[[], None] = lambda: None) -> float:
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
            record.add("point", step=step, values=values, at=round(at * 1000))
            stepped()

    spaced = {"checkpoint_every_steps": steps, "validate_every_steps": steps, "steps": steps}

    trainer = Trainer(run(root, batch_size=16, **spaced), root / "checkpoints", Recorder())
    record = Record(root, "train", {})
    assert record.directory is not None
    if mode != "off":
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
    for lock in root.glob(".reprolm/executions/*/.lock"):
        with contextlib.suppress(IndexError, ProcessLookupError):
            os.kill(int(lock.read_text().split()[1]), number)


def in_turns(mode: str, root: Path, turns: int) -> None:
    """A loop that makes so many steps for each line that it reads, and answers with their seconds."""
    moments: list[float] = []

    def stepped() -> None:
        moments.append(time.perf_counter())
        if len(moments) == 1:
            ready()
            input()
        elif len(moments) > TURN:
            answer([after - before for before, after in itertools.pairwise(moments)])
            moments.clear()
            input()
        else:
            return
        moments[:] = [time.perf_counter()]

    loop(mode, root, turns * TURN + 1, stepped)


class Training(Arm):
    """One of the trainings, and the milliseconds of its steps, turn by turn."""

    def __init__(self, mode: str, address: str, root: Path, turns: int) -> None:
        (root / ".dvc").mkdir(parents=True)
        variables = {"MLFLOW_TRACKING_URI": address} if address else {}
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
        arguments = [__file__, "loop", mode, str(root), str(turns)]
        super().__init__(*arguments, environment=kept | variables, cwd=root)
        self._root, self._turns = root, list[list[float]]()

    def turn(self) -> None:
        """Makes the steps of a turn."""
        signalled(self._root, signal.SIGCONT)
        self._turns.append(self.ask(0))
        signalled(self._root, signal.SIGSTOP)

    def steps(self) -> Steps:
        """Of each turn after the warm-up."""
        return 1000 * np.array(self._turns[WARMUP_TURNS:])

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


def main(rounds: int) -> None:
    with socket.socket() as hanging, socket.socket() as closed, tempfile.TemporaryDirectory() as place:
        for each in (hanging, closed):
            each.bind(("127.0.0.1", 0))
        hanging.listen(1000)
        ports = {"hanging": hanging.getsockname()[1], "dead": closed.getsockname()[1]}
        addresses = {mode: f"http://127.0.0.1:{ports[mode]}" if mode in ports else "" for mode in MODES}
        turns = WARMUP_TURNS + rounds
        trainings = {
            mode: Training(mode, address, Path(place) / mode, turns + 1)
            for mode, address in addresses.items()
        }
        for _ in range(turns):
            for training in random.sample(list(trainings.values()), len(MODES)):
                training.turn()
        for training in trainings.values():
            training.end()
    found = {mode: training.steps() for mode, training in trainings.items()}
    print("| store | median, ms | p99, ms | longest, ms | mean / off | p99 / off |")
    print("|---|---|---|---|---|---|")
    for mode, steps in found.items():
        cells = [f"{each:.2f}" for each in (np.median(steps), np.quantile(steps, 0.99), steps.max())]
        cells += [
            compared(steps, found["off"], measure) for measure in (np.mean, lambda x: np.quantile(x, 0.99))
        ]
        print(f"| {mode} | {' | '.join(cells)} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["loop"]:
        in_turns(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
