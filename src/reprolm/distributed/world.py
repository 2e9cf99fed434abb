"""The processes that train together, and what they tell each other."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from reprolm.distributed.ranks import Place
from reprolm.errors import Exit, refuse

MESSAGE_BYTES = 2**25
"""Of gradients that are sent at once: few enough for the copy to be small, enough for the latency to be."""


@dataclass(frozen=True)
class World:
    """`size` processes, of which this is number `rank`; 0 records, publishes and writes the checkpoints.

    This machine has `local_size` of them. With one process every method returns what it was given.
    """

    rank: int = 0
    size: int = 1
    local_size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that records, publishes and writes."""
        return self.rank == 0

    def rows(self, batch_size: int) -> range:
        """The rows of a batch that this process takes.

        Raises:
            ReprolmError: processes do not divide the batch (exit 2).
        """
        if batch_size % self.size:
            what = f"is not a multiple of the {self.size} processes"
            raise refuse("train.batch_size", what, got=batch_size, want=f"a multiple of {self.size}",
                         exit=Exit.PARAMETERS)  # fmt: skip
        part = batch_size // self.size
        return range(self.rank * part, (self.rank + 1) * part)

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Replaces each tensor by its sum over the processes, the same bits in all of them."""
        if self.size == 1:
            return
        for part in _messages(tensors):
            message = torch.cat([tensor.reshape(-1) for tensor in part])
            dist.all_reduce(message)
            sums = message.split_with_sizes([tensor.numel() for tensor in part])
            torch._foreach_copy_(part, [s.view_as(t) for s, t in zip(sums, part, strict=True)])

    def added(self, *numbers: float) -> list[float]:
        """The sum of each number over the processes."""
        sums = torch.tensor(numbers, dtype=torch.float64)
        self.add([sums])
        result: list[float] = sums.tolist()
        return result

    def largest(self, number: int) -> int:
        """The largest of the numbers that processes have; told by the CPU: no GPU is waited for."""
        if self.size == 1:
            return number
        most = torch.tensor(number)
        dist.all_reduce(most, dist.ReduceOp.MAX)
        return int(most)

    def shared(self, content: bytes) -> bytes:
        """What process 0 was given, in all."""
        if self.size == 1:
            return content
        length = torch.tensor(len(content))
        dist.broadcast(length, 0)
        told = torch.empty(int(length), dtype=torch.uint8)
        if self.leads:
            told = torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else told
        for first in range(0, len(told), MESSAGE_BYTES):
            dist.broadcast(told[first : first + MESSAGE_BYTES], 0)
        return told.numpy().tobytes()

    def agree(self, key: str) -> None:
        """Makes sure that all processes are about to do the same.

        Raises:
            ReprolmError: this one has another key than process 0 (exit 2).
        """
        theirs = self.shared(key.encode()).decode()
        if theirs != key:
            what = "has other parameters, data, code, versions or processor than process 0"
            raise refuse(f"process {self.rank} of {self.size}", what, got=key, want=theirs,
                         exit=Exit.PARAMETERS)  # fmt: skip


ALONE = World()


def _messages(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Tensors in their order, so many together as make a message."""
    part: list[Tensor] = []
    size = 0
    for tensor in tensors:
        part.append(tensor)
        size += tensor.nbytes
        if size >= MESSAGE_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


@contextmanager
def joined(place: Place, device: torch.device) -> Iterator[World]:
    """The world to which a process belongs: gloo between CPUs, NCCL between GPUs.

    Raises:
        ReprolmError: another process is gone, or cannot be reached (exit 69).
    """
    if place.size == 1:
        yield ALONE
        return
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    try:
        dist.init_process_group(backend, place.rendezvous, rank=place.rank, world_size=place.size)
        yield World(place.rank, place.size, place.local_size)
        dist.destroy_process_group()
    except RuntimeError as error:
        if not _of_communication(error):
            raise
        where, got = f"process {place.rank} of {place.size}", str(error).splitlines()[0]
        raise refuse(where, "lost another process", got=got, exit=Exit.NETWORK) from error


def _of_communication(error: RuntimeError) -> bool:
    words = ("gloo", "nccl", "connection", "timed out", "tcpstore")
    return isinstance(error, dist.DistError) or any(word in str(error).lower() for word in words)
