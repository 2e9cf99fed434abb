"""Proof that an exported folder gives the same numbers, in a fresh process that is given nothing else."""

import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

import reprolm
from reprolm.errors import Exit, ReprolmError, refuse
from reprolm.export.foreign import ANSWERED, ASKED, LOGITS
from reprolm.export.questions import Questions
from reprolm.model.storage import read_tensors
from reprolm.model.transformer import Transformer
from reprolm.tokenizers.interface import Tokenizer

LARGEST_LOGIT_DIFFERENCE = 1e-4
LARGEST_PERPLEXITY_DIFFERENCE = 1e-3


@dataclass(frozen=True)
class Parity:
    """What was measured: the largest |theirs − ours| of all logits, tokens, |theirs − ours| / ours."""

    logit_difference: float
    greedy_tokens: int
    perplexity: float
    perplexity_difference: float

    def __str__(self) -> str:
        return (
            f"largest logit difference {self.logit_difference:.1e}, "
            f"{self.greedy_tokens} greedy tokens equal, "
            f"relative difference of perplexity {self.perplexity_difference:.1e}"
        )


@dataclass(frozen=True)
class Answers:
    """What `transformers` said: loss, greedy, ids, texts, strange (keys of tensors); and its logits."""

    words: dict[str, Any]
    logits: Float[Tensor, "N T V"]


def require_transformers() -> None:
    """Refuses where `transformers` is missing, before anything is done (exit 66)."""
    if importlib.util.find_spec("transformers") is None:
        want = "pip install 'reprolm[export]'"
        raise refuse("transformers", "is not installed, and proves exports", want=want, exit=Exit.MISSING)


def proved(where: Path, folder: Path, model: Transformer, tokenizer: Tokenizer, asked: Questions) -> Parity:
    """Compares the answers of `folder`, which is to become `where`, with ours.

    Raises:
        ReprolmError: `transformers` does not load it, or says something else (exit 76).
    """
    answers = _answered(where, folder, asked)
    _same_ids(where, tokenizer, asked, answers)
    return _same_numbers(where, model, asked, answers)


def _answered(where: Path, folder: Path, asked: Questions) -> Answers:
    """What `transformers` answers."""
    with tempfile.TemporaryDirectory(prefix="reprolm-") as name:
        exchange = Path(name)
        (exchange / ASKED).write_text(asked.json())
        failure = ask(folder, exchange)
        if failure:
            raise _refuse(where, "is not loaded by transformers", failure)
        return Answers(
            json.loads((exchange / ANSWERED).read_text()), read_tensors(exchange / LOGITS)["logits"]
        )


def ask(folder: Path, exchange: Path) -> str:
    """Has a fresh process answer what lies in `exchange`; returns why it could not, if so."""
    source = str(Path(reprolm.__file__).parents[1])
    path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "reprolm.export.foreign", str(folder), str(exchange)],
        env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
    return said[-1] if done.returncode else ""


def _same_ids(where: Path, tokenizer: Tokenizer, asked: Questions, answers: Answers) -> None:
    for text, ids, back in zip(asked.texts, answers.words["ids"], answers.words["texts"], strict=True):
        ours = tokenizer.encode(text)
        if ids != ours:
            raise _refuse(where, f"encodes {text[:20]!r} with other ids", ids[:8], str(ours[:8]))
        if back != text and tokenizer.decode(ours) == text:
            raise _refuse(where, f"decodes the ids of {text[:20]!r} otherwise", back[:20])


@torch.no_grad()
def _same_numbers(where: Path, model: Transformer, asked: Questions, answers: Answers) -> Parity:
    if answers.words["strange"]:
        raise _refuse(where, "lacks tensors, or has others than transformers", answers.words["strange"])
    logits = model(asked.windows)
    difference = float((logits - answers.logits).abs().max())
    if not difference <= LARGEST_LOGIT_DIFFERENCE:
        raise _refuse(where, "gives other logits", f"{difference:.3g}", f"at most {LARGEST_LOGIT_DIFFERENCE}")
    equal = greedy(model, asked.prompts, asked.steps) == torch.tensor(answers.words["greedy"])
    if not equal.all():
        raise _refuse(where, "writes other tokens", f"{int(equal.sum())} equal", f"all {equal.numel()}")
    perplexity = math.exp(cross_entropy(logits[:, :-1].flatten(0, 1), asked.windows[:, 1:].flatten()))
    relative = abs(math.exp(answers.words["loss"]) - perplexity) / perplexity
    if not relative <= LARGEST_PERPLEXITY_DIFFERENCE:
        want = f"a relative difference of at most {LARGEST_PERPLEXITY_DIFFERENCE}"
        raise _refuse(where, "has another perplexity", f"{relative:.3g}", want)
    return Parity(difference, equal.numel(), perplexity, relative)


def greedy(model: Transformer, prompts: Int[Tensor, "P U"], steps: int) -> Int[Tensor, "P _"]:
    """The likeliest tokens after each prompt, without a cache."""
    rows = prompts
    for _ in range(steps):
        rows = torch.cat([rows, model(rows, last=1)[:, -1:].argmax(-1)], dim=1)
    return rows[:, prompts.shape[1] :]


def _refuse(where: Path, what: str, got: object, want: str = "") -> ReprolmError:
    return refuse(str(where), f"no export: {what}", got=got, want=want, exit=Exit.INTEGRITY)
