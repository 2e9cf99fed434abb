"""A program that trains with two processes: `python -m tests.train.crew FOLDER JOBS`, jobs as JSON.

Each job is trained in turn by the same two processes: `changes` of the parameters, and perhaps `signalled` or
`killed`, the step and the rank at which something happens. The first writes the points to FOLDER/NAME.json.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.parallel import DistributedDataParallel

from reprolm.distributed.world import World
from reprolm.errors import Stopped, guarded
from reprolm.train.loop import Trainer
from reprolm.train.run import Run
from reprolm.train.together import together
from tests.train.runs import Memory, run

WAYS = {"signalled": signal.SIGTERM, "killed": signal.SIGKILL}


def strike(trainer: Trainer, step: int, action: Callable[[], None]) -> None:
    """Does something in the middle of a step, the first being 1."""
    whole = trainer.step.optim_step

    def struck(index: int) -> torch.Tensor:
        if index + 1 == step:
            action()
        return whole(index)

    trainer.step.optim_step = struck  # type: ignore[method-assign]


def fail() -> None:
    from reprolm.errors import Exit, refuse

    raise refuse("disk", "is full", exit=Exit.STORAGE)


def work(folder: Path, world: World, job: dict[str, Any]) -> None:
    name = job["name"]
    trainer = Trainer(replace(run(folder, **job["changes"]), world=world), folder / name, memory := Memory())
    for way, number in WAYS.items():
        if way in job and job[way][1] == world.rank:
            strike(trainer, job[way][0], lambda n=number: os.kill(os.getpid(), n))  # type: ignore[misc]
    if job.get("fails", [0, None])[1] == world.rank:
        strike(trainer, job["fails"][0], fail)
    began, code = trainer.state.step, 0
    try:
        trainer.fit()
    except Stopped as stop:
        code = int(stop.exit)
    if world.leads:
        told = {"began": began, "code": code, "ended": trainer.state.step, "points": memory.points}
        (folder / f"{name}.json").write_text(json.dumps(told))


def gradients_as_of_torch(folder: Path, one: Run, world: World) -> None:
    """The largest difference between our gradients and those of torch's DistributedDataParallel."""
    trainer = Trainer(replace(one, world=world), folder / "reference", Memory())
    trainer.step.train_batch(0)
    ours = [parameter.grad.clone() for parameter in trainer.step.model.parameters()]
    trainer.step.model.zero_grad()
    rows = trainer.step.rows
    batch = trainer.step.batches.rows(0, rows.start, rows.stop)
    theirs = DistributedDataParallel(trainer.step.model)
    logits = theirs(torch.from_numpy(batch.inputs)).flatten(0, 1)
    # theirs is a mean over processes of the mean over their tokens
    torch.nn.functional.cross_entropy(logits, torch.from_numpy(batch.targets).flatten()).backward()
    pairs = zip(ours, trainer.step.model.parameters(), strict=True)
    largest = max(float((mine - other.grad).abs().max()) for mine, other in pairs)
    if world.leads:
        (folder / "reference.json").write_text(json.dumps(largest))


def main() -> None:
    folder, jobs = Path(sys.argv[1]), json.loads(sys.argv[2])
    torch.set_num_threads(1)
    run(folder)  # writes the tokens, before there is a second process that would
    with together(folder / "key", 2, torch.device("cpu")) as world:
        for job in jobs:
            work(folder, world, job)
        if len(jobs) > 1:
            gradients_as_of_torch(folder, run(folder), world)


if __name__ == "__main__":
    raise SystemExit(guarded(main))
