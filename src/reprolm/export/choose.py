"""The layout for an architecture."""

from reprolm.errors import Exit, Problem, ReprolmError
from reprolm.export.experts import MIXTRAL, QWEN2_MOE, QWEN3_MOE
from reprolm.export.gpt2 import GPT2
from reprolm.export.layout import Layout
from reprolm.export.llama import APERTUS, ARCEE, LLAMA, QWEN3
from reprolm.export.mpt import MPT
from reprolm.export.starcoder2 import STARCODER2
from reprolm.model.config import ModelConfig

FAMILIES = {f"model.{family}" for family in ("norm", "norm_placement", "position", "qk_norm", "feedforward")}
LAYOUTS = (LLAMA, QWEN3, GPT2, MIXTRAL, MPT, ARCEE, APERTUS, STARCODER2, QWEN3_MOE, QWEN2_MOE)
"""Where several fit, or are equally near, the first is taken."""


def layout_for(config: ModelConfig, vocab_size: int) -> Layout:
    """The first layout that expresses an architecture.

    Raises:
        ReprolmError: none does; a line for each parameter that keeps it from the nearest one (exit 2).
    """
    found = [(layout, layout.obstacles(config, vocab_size)) for layout in LAYOUTS]
    nearest, obstacles = min(found, key=lambda pair: _distance(pair[1]))
    if obstacles:
        raise ReprolmError(obstacles, Exit.PARAMETERS)
    return nearest


def _distance(obstacles: list[Problem]) -> tuple[int, int]:
    """Another kind is further away than another number."""
    return sum(problem.where in FAMILIES for problem in obstacles), len(obstacles)
