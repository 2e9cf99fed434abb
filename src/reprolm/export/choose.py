"""The layout for an architecture."""

from reprolm.errors import Exit, ReprolmError
from reprolm.export.experts import MIXTRAL, QWEN2_MOE, QWEN3_MOE
from reprolm.export.gpt2 import GPT2
from reprolm.export.layout import Layout
from reprolm.export.llama import APERTUS, ARCEE, LLAMA, QWEN3
from reprolm.export.mpt import MPT
from reprolm.export.starcoder2 import STARCODER2
from reprolm.model.config import ModelConfig

LAYOUTS = (LLAMA, QWEN3, GPT2, MIXTRAL, MPT, ARCEE, APERTUS, STARCODER2, QWEN3_MOE, QWEN2_MOE)
"""Where several fit, or are equally near, the first is taken."""


def layout_for(config: ModelConfig, vocab_size: int) -> Layout:
    """The first layout that expresses an architecture.

    Raises:
        ReprolmError: none does; a line for each parameter that keeps it from the nearest one (exit 2).
    """
    obstacles = {layout.name: layout.obstacles(config, vocab_size) for layout in LAYOUTS}
    nearest = min(LAYOUTS, key=lambda layout: len(obstacles[layout.name]))
    if obstacles[nearest.name]:
        raise ReprolmError(obstacles[nearest.name], Exit.PARAMETERS)
    return nearest
