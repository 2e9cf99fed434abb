"""Prompts that somebody asks a model to continue: in a terminal, or of a server."""

from collections.abc import Mapping, Sequence
from typing import Any

from reprolm.config import section
from reprolm.evaluate.text import draw_samples
from reprolm.generate.config import SampleConfig
from reprolm.model.transformer import Transformer
from reprolm.tokenizers.interface import Tokenizer

OPTIONS: dict[str, Any] = {
    "max_new_tokens": 200,
    "temperature": 0.8,
    "top_k": 0,
    "top_p": 0.95,
    "seed": 1,
}
"""How this may be varied, and what is taken where nothing is said. `top_k: 0` cuts nothing off."""


def continuations(
    pair: tuple[Transformer, Tokenizer], prompts: Sequence[str], chosen: Mapping[str, Any]
) -> list[str]:
    """Each prompt with its continuation; the same seed gives the same text.

    Raises:
        ReprolmError: a prompt or an option is out of bounds (exit 2, 65).
    """
    options = {**OPTIONS, **chosen}
    values = {"prompts": list(prompts), "draws": 1, "dropout_active": False}
    values |= {name: options[name] for name in ("max_new_tokens", "temperature", "top_p")}
    values["top_k"] = options["top_k"] or None
    config = section({"sample": values}, "sample", SampleConfig)
    return [row["prompt"] + row["text"] for row in draw_samples(*pair, config, int(options["seed"]))]
