"""Section `train`: the optimizer, the schedule, the horizon, and how often to look."""

import math
from typing import Literal

from pydantic import Field

from reprolm.config import divisors, nearest, rule
from reprolm.diagnose.config import EventsConfig
from reprolm.errors import Exit, Problem, refuse
from reprolm.optim.config import OptimConfig


class TrainConfig(OptimConfig):
    """How the model is trained."""

    horizon: Literal["steps", "tokens", "epochs"]
    """What says how long training goes on; the number stands beside it under the same name."""
    steps: int = Field(ge=1)
    tokens: int = Field(ge=1)
    epochs: float = Field(gt=0)
    batch_size: int = Field(ge=1)
    micro_batch_size: int | None = Field(ge=1)
    """Sequences that are computed at once; null: the whole batch."""
    windows: Literal["packed", "isolated", "padded"]
    """How they lie in the text: end to end; the same, each token seeing its own document alone; by document,
    filled up."""
    sampling: Literal["permutation", "with_replacement"]
    on_out_of_memory: Literal["stop", "halve"]
    activation_checkpointing: bool
    compile: bool
    processes: int = Field(ge=1, le=1024)
    """That the stage starts on this machine; each takes its part of a batch."""
    sharding: Literal["none", "fsdp"]
    """Whether several processes divide the tensors among themselves."""
    precision: Literal["float32", "bfloat16", "float16"]
    patience_validations: int | None = Field(ge=1)
    """Training ends after so many validations without a new best; null: at the horizon."""
    validate_every_steps: int = Field(ge=1)
    log_every_steps: int = Field(ge=1)
    checkpoint_every_steps: int = Field(ge=1)
    events: EventsConfig

    def total_steps(self, step_tokens: int, epoch_steps: float) -> int:
        """The steps of the run, from the tokens of a step and the steps of an epoch.

        Raises:
            ReprolmError: the warm-up would not end (exit 2).
        """
        if self.horizon == "tokens":
            steps = math.ceil(self.tokens / step_tokens)
        elif self.horizon == "epochs":
            steps = math.ceil(self.epochs * epoch_steps)
        else:
            steps = self.steps
        if self.warmup_steps >= steps:
            what = f"is not below the {steps} steps of train.{self.horizon}"
            want = f"at most {steps - 1}"
            raise refuse("train.warmup_steps", what, got=self.warmup_steps, want=want, exit=Exit.PARAMETERS)
        return steps

    @rule
    def warmup_ends(self) -> Problem | None:
        """The warm-up is a part of the run."""
        if self.horizon != "steps" or self.warmup_steps < self.steps:
            return None
        return Problem("warmup_steps", f"is not below train.steps = {self.steps}", self.warmup_steps,
                       f"at most {self.steps - 1}")  # fmt: skip

    @rule
    def parts_make_the_batch(self) -> Problem | None:
        """Parts of one size fill a batch."""
        part, batch = self.micro_batch_size, self.batch_size
        if part is None or batch % part == 0:
            return None
        return Problem("micro_batch_size", f"does not divide train.batch_size = {batch}", part,
                       nearest(part, divisors(batch)))  # fmt: skip

    @rule
    def processes_divide_the_batch(self) -> Problem | None:
        """Each process has as many rows as the others."""
        if self.batch_size % self.processes == 0:
            return None
        return Problem("processes", f"does not divide train.batch_size = {self.batch_size}", self.processes,
                       nearest(self.processes, divisors(self.batch_size)))  # fmt: skip

    @rule
    def what_divides_tensors_stops_in_one_step(self) -> Problem | None:
        """A process that computed a part anew would be waited for by none."""
        if self.sharding == "none" or self.on_out_of_memory == "stop":
            return None
        return Problem("on_out_of_memory", "cannot be halve where train.sharding is fsdp",
                       self.on_out_of_memory, "stop, with a lower train.micro_batch_size")  # fmt: skip

    @rule
    def compiled_whole(self) -> Problem | None:
        """What is gathered layer by layer is not compiled."""
        if self.sharding == "none" or not self.compile:
            return None
        return Problem("compile", "cannot be true where train.sharding is fsdp", self.compile, "false")
