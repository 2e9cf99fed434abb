"""Samples of a model, and statistics of their text."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from reprolm.errors import ReprolmError
from reprolm.generate.config import SampleConfig
from reprolm.generate.decode import continued
from reprolm.model.transformer import Transformer
from reprolm.tokenizers.interface import Tokenizer


def draw_samples(
    model: Transformer, tokenizer: Tokenizer, config: SampleConfig, seed: int
) -> list[dict[str, Any]]:
    """A row for each prompt and draw: prompt, draw, text (the continuation) and how it was drawn.

    Raises:
        ReprolmError: a prompt holds a character that the tokenizer lacks, or no token (exit 65).
    """
    how = {"temperature": config.temperature, "top_k": config.top_k, "top_p": config.top_p}
    rows = []
    for prompt in config.prompts:
        ids = torch.tensor(_ids(prompt, tokenizer), dtype=torch.int64)
        for index, text in enumerate(continued(model, ids, config, seed, tokenizer.end_of_document)):
            rows.append({"prompt": prompt, "draw": index, "text": tokenizer.decode(text), **how})
    return rows


def _ids(prompt: str, tokenizer: Tokenizer) -> Sequence[int]:
    try:
        return tokenizer.encode(prompt)
    except ReprolmError as error:
        problems = [replace(problem, where="sample.prompts") for problem in error.problems]
        raise ReprolmError(problems, error.exit) from error


def samples_as_text(rows: list[dict[str, Any]]) -> str:
    """Samples to be read by people."""
    return "\n\n".join(f"=== draw {row['draw']}\n{row['prompt']}{row['text']}" for row in rows) + "\n"


def samples_as_columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Samples as a table of which the pages of MLflow put the texts of several runs beside each other.

    They take the first column for what rows of different runs have in common, so that it must name one row of
    each run: prompt and draw together; and the second for what is to be compared.

    >>> samples_as_columns([{"prompt": "The", "draw": 1, "text": " cat", "top_k": 50}])
    {'sample': ['The, draw 1'], 'text': [' cat'], 'prompt': ['The'], 'draw': [1], 'top_k': [50]}
    """
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    names = [f"{row['prompt']}, draw {row['draw']}" for row in rows]
    return {"sample": names, "text": columns.pop("text")} | columns


def _grams(words: list[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[i:] for i in range(n)), strict=False))


def text_statistics(texts: list[str]) -> dict[str, float]:
    """Of continuations, in words: distinct-n over all texts, rep-4 as the mean share of repeated 4-grams.

    distinct-n = different n-grams / n-grams (Li et al. 2016, arXiv:1510.03055); rep-4 = 1 − different / all
    (Welleck et al. 2020, arXiv:1908.04319).
    """
    words = [text.split() for text in texts]
    numbers: dict[str, float] = {"characters": sum(map(len, texts)), "words": sum(map(len, words))}
    for n in (1, 2):
        grams = [gram for text in words for gram in _grams(text, n)]
        numbers[f"distinct_{n}"] = len(set(grams)) / len(grams) if grams else 0.0
    long = [grams for grams in (_grams(text, 4) for text in words) if grams]
    repeated = [1 - len(set(grams)) / len(grams) for grams in long]
    numbers["rep_4"] = sum(repeated) / len(repeated) if repeated else 0.0
    return numbers
