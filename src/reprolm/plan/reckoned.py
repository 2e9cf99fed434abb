"""What a training needs by reckoning, told where memory did not suffice for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from reprolm.errors import Exit, Problem, ReprolmError
from reprolm.plan.fitting import fitting, free_bytes
from reprolm.plan.memory import memory
from reprolm.plan.pace import Size
from reprolm.quantities import amount
from reprolm.train.run import Run


@contextmanager
def reckoned(run: Run) -> Iterator[None]:
    """Adds to the error of memory that ran out how much is needed and which part of a batch fits.

    What is free is taken when the block is entered, before anything large was made.

    Raises:
        ReprolmError: the error of the block.
    """
    free = free_bytes(run.device) // (1 if run.device.type == "cuda" else run.world.size)
    try:
        yield
    except ReprolmError as error:
        if error.exit is not Exit.MEMORY:
            raise
        problem, *rest = error.problems
        raise ReprolmError([_told(problem, run, free), *rest], error.exit) from error


def _told(problem: Problem, run: Run, free: int) -> Problem:
    size = Size(run.model, run.train, run.training.vocab_size).part

    def peak(sequences: int) -> int:
        train = size.train.model_copy(update={"micro_batch_size": sequences})
        return memory(size.model, train, size.vocab_size, run.device, threads=run.threads).heap_bytes

    halved = size.train.on_out_of_memory == "halve"  # which ends at one sequence
    tried = 1 if halved else size.train.micro_batch_size or size.train.batch_size
    needed = peak(tried)
    got = f"{problem.got}, which take {amount(needed)} where {amount(free)} were free"
    fits = fitting(peak, size.train.batch_size, free)
    if fits is None or fits >= tried:
        # what others took since, or a limit of the system that cannot be seen
        return replace(problem, got=got)
    return replace(problem, got=got, want=f"{fits}, or train.on_out_of_memory: halve")
