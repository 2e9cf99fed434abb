"""What a step spends outside model and optimizer: CPU time of steps with and without the watching.

Both draw their batches; what that takes stands among the parts.
Run after `make repro`: `python benchmarks/overhead.py`. Processes of each kind in turn; a second table says
what each part of the watching takes by itself.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

STEPS, WARMUP, ROUNDS, REPEATS = 30, 10, 3, 200
HOW_OFTEN = {"5th": 1 / 5, "4 steps": 4 / 1100, "5 validations": 5 / 1100}
"""In a step of the default run."""


def made(directory: Path) -> Any:
    """A trainer of the default model; it neither validates nor saves within the steps."""
    from training import Nobody, parameters, run

    from reprolm.device import device
    from reprolm.train.loop import Trainer

    never = dict.fromkeys(("validate_every_steps", "checkpoint_every_steps"), 10_000)
    params = parameters(train={"steps": STEPS, "warmup_steps": WARMUP} | never)
    # one thread: a second one that waits for the first counts as work
    trainer = Trainer(run(params, device(1)), directory, Nobody())
    trainer._due = lambda every: trainer.state.step % every == 0  # type: ignore[method-assign]
    return trainer


def steps(kind: str) -> None:
    """CPU time of steps: of the whole loop, or of model and optimizer alone; prints JSON."""
    with tempfile.TemporaryDirectory() as directory:
        trainer = made(Path(directory))
        trainer.step.train_batch(0)
        for optimizer in trainer.step.optimizers:
            optimizer.zero_grad(set_to_none=True)
        began = time.process_time()
        if kind == "loop":
            trainer.fit()
        else:
            for step in range(STEPS):
                trainer.step.train_batch(step)
                trainer.step.optim_step(step)
        print(json.dumps(1000 * (time.process_time() - began) / STEPS))


def milliseconds(function: Callable[[], object]) -> float:
    """CPU time of one call."""
    began = time.process_time()
    for _ in range(REPEATS):
        function()
    return 1000 * (time.process_time() - began) / REPEATS


def parts() -> dict[str, float]:
    """Milliseconds of each part of the watching, of a run that has made its steps."""
    from reprolm.diagnose.detect import Observation
    from reprolm.progress import Progress

    with tempfile.TemporaryDirectory() as directory:
        trainer = made(Path(directory))
        trainer.fit()
        watch, state = trainer.watch, trainer.state
        seen = Observation(STEPS + 1, 5.0, 1.0, 1e-3)
        values = {"train/loss": 5.0, "train/learning_rate": 1e-3}
        bar, at = Progress("train", None, "tokens"), count()
        return {
            "a batch": milliseconds(lambda: trainer.step.batches.at(next(at))),
            "norms of weights and gradients": milliseconds(lambda: watch.norms.take(1, trainer.step.norms)),
            "events": milliseconds(lambda: watch.detector.take(seen)),
            "series": milliseconds(lambda: watch.series.append(loss=1.0, gradient_norm=1.0)),
            "numbers of the bar, every 5th step": milliseconds(
                lambda: bar.advance(1, **trainer._display.shown(values, state.best_loss))
            ),
            "a point of the curve, every 5th step": milliseconds(lambda: trainer._record(values)),
            "digests, at 4 steps of a run": milliseconds(lambda: watch.certify(STEPS)),
            "entropy of attention, with 5 validations a run": milliseconds(watch.look_at_attention),
        }


def main() -> None:
    found: dict[str, list[float]] = {"step": [], "loop": []}
    for _ in range(ROUNDS):
        for kind, results in found.items():
            command = [sys.executable, __file__, kind]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            results.append(json.loads(done.stdout))
    each = json.loads(
        subprocess.run([sys.executable, __file__, "parts"], capture_output=True, text=True, check=True).stdout
    )
    alone, whole = (statistics.median(found[kind]) for kind in ("step", "loop"))
    print("| | CPU ms a step | all rounds |\n|---|---|---|")
    for kind, name in (("step", "model and optimizer"), ("loop", "the whole loop")):
        rounds = ", ".join(f"{x:.1f}" for x in found[kind])
        print(f"| {name} | {statistics.median(found[kind]):.1f} | {rounds} |")
    print(f"\nDifference of the medians: {100 * (whole - alone) / alone:+.2f} % of a step.\n")
    print("| part | CPU ms a call | % of a step |\n|---|---|---|")
    for name, took in each.items():
        share = took * next((share for words, share in HOW_OFTEN.items() if words in name), 1.0)
        print(f"| {name} | {took:.4f} | {100 * share / alone:.3f} |")


if __name__ == "__main__":
    kinds = {"parts": lambda: print(json.dumps(parts()))}
    kinds.get(sys.argv[1], lambda: steps(sys.argv[1]))() if len(sys.argv) > 1 else main()
