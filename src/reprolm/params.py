"""The whole of `params.yaml`: all sections together, and the rules between them.

Only what must see everything imports this: the `check` stage and the `reprolm` command. A stage reads its own
sections, so that it depends on nothing else.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from reprolm.config import Config, chosen, inspected
from reprolm.corpus.config import DataConfig
from reprolm.data.config import EncodeConfig
from reprolm.errors import Exit, Problem, ReprolmError
from reprolm.evaluate.config import EvaluateConfig
from reprolm.generate.config import SampleConfig
from reprolm.model.config import ModelConfig
from reprolm.tokenizers.config import BYTE_LEVEL, SIZED, TokenizerConfig
from reprolm.train.config import TrainConfig

SECTIONS: dict[str, type[Config]] = {
    "data": DataConfig,
    "tokenizer": TokenizerConfig,
    "encode": EncodeConfig,
    "model": ModelConfig,
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
    "sample": SampleConfig,
}


class Numbers(Config):
    """The parameters that stand in no section."""

    seed: int = Field(ge=0, lt=2**63)
    threads: int = Field(ge=1, le=1024)


def acting(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a raw `params.yaml` that act, flat: `model.rope.theta` only where rope is chosen.

    Raises:
        ReprolmError: one line for each thing that is wrong (exit 2).
    """
    sections, problems = _inspected(raw)
    problems += list(_between(sections))
    if problems:
        raise ReprolmError(problems, Exit.PARAMETERS)
    flat: dict[str, Any] = {name: raw[name] for name in Numbers.model_fields}
    for name, config in sections.items():
        flat |= chosen(config, f"{name}.")
    return flat


def _unknown(name: str) -> Problem:
    near = difflib.get_close_matches(name, [*SECTIONS, *Numbers.model_fields], n=1, cutoff=0.5)
    return Problem(name, "unknown key" + (f"; did you mean {near[0]}?" if near else ""))


def _inspected(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The sections that are right, and what is wrong with the others."""
    problems = [_unknown(name) for name in raw if name not in SECTIONS and name not in Numbers.model_fields]
    numbers = {name: raw[name] for name in Numbers.model_fields if name in raw}
    _, found = inspected({"": numbers}, "", Numbers)
    problems += [replace(problem, where=problem.where.lstrip(".")) for problem in found]
    sections: dict[str, Any] = {}
    for name, config in SECTIONS.items():
        sections[name], found = inspected(raw, name, config)
        problems += found
    return {name: config for name, config in sections.items() if config is not None}, problems


def _between(sections: Mapping[str, Any]) -> Iterator[Problem]:
    """Combinations across sections that cannot be; a section that is wrong in itself is passed over."""
    model, evaluate = sections.get("model"), sections.get("evaluate")
    sample, tokenizer = sections.get("sample"), sections.get("tokenizer")
    if model and evaluate and evaluate.stride > model.context_length:
        what = f"is above model.context_length = {model.context_length}, so that tokens would be left out"
        yield Problem("evaluate.stride", what, evaluate.stride, f"at most {model.context_length}")
    data = sections.get("data")
    if data and tokenizer and data.hygiene.invalid_utf8 == "keep" and tokenizer.kind not in BYTE_LEVEL:
        what = f"keeps bytes that tokenizer.kind = {tokenizer.kind} cannot read"
        want = f"refuse or repair, or kind {' or '.join(BYTE_LEVEL)}"
        yield Problem("data.hygiene.invalid_utf8", what, "keep", want)
    sized = tokenizer and tokenizer.kind in SIZED
    if sample and tokenizer and sized and (sample.top_k or 0) > tokenizer.vocab_size:
        what = f"is above tokenizer.vocab_size = {tokenizer.vocab_size}"
        yield Problem("sample.top_k", what, sample.top_k, f"at most {tokenizer.vocab_size}, or null")
