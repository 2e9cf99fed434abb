"""The processes that train one run: one lock, one key."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from reprolm.distributed.ranks import crew, place
from reprolm.distributed.world import World, joined
from reprolm.store import locked


@contextmanager
def together(directory: Path, processes: int, device: torch.device) -> Iterator[World]:
    """Starts and joins the processes that train the run of a directory, which is named by the run's key.

    Raises:
        ReprolmError: another process is about to train something else (exit 2), or ended early.
    """

    def wait(holder: str) -> None:
        print(f"train: waits for {holder}, which trains the same", flush=True)

    # the first process holds it for all: they lie on other machines, perhaps
    lock = nullcontext() if place().rank else locked(directory, wait=wait)
    with lock, crew(processes) as here, joined(here, device) as world:
        world.agree(directory.name)
        yield world
