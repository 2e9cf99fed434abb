"""What a training needs by reckoning, told where memory did not suffice for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from reprolm.errors import Exit, Problem, ReprolmError, out_of_memory
from reprolm.plan.fitting import fitting, free_bytes
from reprolm.plan.pace import Size
from reprolm.plan.process import KERNELS_BYTES
from reprolm.quantities import amount
from reprolm.train.run import Run
from reprolm.train.step import NOTHING_FITS, too_large


@contextmanager
def reckoned(run: Run) -> Iterator[None]:
    """Adds to the error of memory that ran out how much is needed and which part of a batch fits.

    What is free is taken when the block is entered, before anything large was made.

    Raises:
        ReprolmError: the error of the block.
    """
    free = free_bytes(run.device) // (1 if run.device.type == "cuda" else run.world.local_size)
    try:
        yield
    except (ReprolmError, RuntimeError, MemoryError) as error:
        # sharded tensors are not reckoned with
        if not _of_memory(error) or (run.world.size > 1 and run.train.sharding == "fsdp"):
            raise
        # what runs out beside a step does not say so by itself
        asked = run.train.micro_batch_size or run.train.batch_size
        said = error if isinstance(error, ReprolmError) else too_large(asked)
        problem, *rest = said.problems
        raise ReprolmError([_told(problem, run, free), *rest], Exit.MEMORY) from error


def _of_memory(error: Exception) -> bool:
    return error.exit is Exit.MEMORY if isinstance(error, ReprolmError) else out_of_memory(error)


def _told(problem: Problem, run: Run, free: int) -> Problem:
    # not above: every training would begin later by it
    from reprolm.plan.plan import needed

    # as many processes as there are, whoever started them
    train = run.train.model_copy(update={"processes": run.world.size})
    size = Size(run.model, train, run.training.vocab_size)
    part = size.part.train
    kernels = 0 if run.device.type == "cuda" else KERNELS_BYTES

    def peak(sequences: int) -> int:
        return needed(size, run.device, run.threads, sequences).heap_bytes + kernels

    halved = part.on_out_of_memory == "halve"  # which ends at one sequence
    tried = 1 if halved else part.micro_batch_size or part.batch_size
    got = f"{problem.got}, which take {amount(peak(tried))} where {amount(free)} were free"
    fits = fitting(peak, part.batch_size, free)
    if fits is None:
        return replace(problem, got=got, want=NOTHING_FITS)
    if fits >= tried:
        # what others took since, or a limit of the system that cannot be seen
        return replace(problem, got=got)
    return replace(problem, got=got, want=f"{fits}, or train.on_out_of_memory: halve")
