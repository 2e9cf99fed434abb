"""Prompts held against a vocabulary, before a model is trained that could not be asked them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reprolm.errors import Exit, Problem, ReprolmError

PARAMETER = "sample.prompts"
LIMITED = ("character",)
"""Kinds of vocabularies that cannot write every text; the others have all bytes."""


def require_writable(params: Mapping[str, Any], tokenizer: Path) -> None:
    """Refuses prompts of raw parameters that a published tokenizer cannot write.

    It may be asked in any stage: what it reads decides whether a result is made, and never which one.

    Raises:
        ReprolmError: a line for each prompt (exit 65).
    """
    prompts = params.get("sample", {}).get("prompts")
    if not isinstance(prompts, list) or params.get("tokenizer", {}).get("kind") not in LIMITED:
        return
    from reprolm.tokenizers.load import load

    try:
        loaded = load(tokenizer)
    except ReprolmError:
        return  # the stages that write with it say what is wrong
    problems: list[Problem] = []
    for prompt in prompts:
        try:
            loaded.encode(str(prompt))
        except ReprolmError as error:
            problems += [replace(problem, where=PARAMETER) for problem in error.problems]
    if problems:
        raise ReprolmError(problems, Exit.DATA)
