"""Every combination of kinds, and models of it."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from reprolm.config import words
from reprolm.model.config import ModelConfig
from reprolm.model.initialise import initialise
from reprolm.model.transformer import Transformer
from tests.settings import model_config, raw

VOCABULARY = 50
FAMILIES = ("norm", "norm_placement", "position", "feedforward")
KINDS = {family: words(ModelConfig.model_fields[family].annotation) for family in FAMILIES}
SIDES: dict[str, tuple[Any, ...]] = {
    "n_kv_heads": (4, 2, 1), "qk_norm": (True, False), "tie_embeddings": (True, False),
    "final_norm": (True, True, False), "logit_soft_cap": (None, 5.0),
    "attention_scale": words(ModelConfig.model_fields["attention_scale"].annotation),
    "initialisation": words(ModelConfig.model_fields["initialisation"].annotation),
}  # fmt: skip
"""Options beside the families; each combination of families takes the next value of each."""


def combinations() -> Iterator[dict[str, Any]]:
    """Every word of every family with every other; the sides take turns, so that each meets each word."""
    steps = {name: 1 + index for index, name in enumerate(SIDES)}
    for number, values in enumerate(itertools.product(*KINDS.values())):
        sides = {name: choices[number // steps[name] % len(choices)] for name, choices in SIDES.items()}
        biases = dict.fromkeys(raw("model")["bias"], number % 3 == 0)
        yield dict(zip(KINDS, values, strict=True)) | sides | {"bias": biases}


def name(kinds: dict[str, Any]) -> str:
    """The words of the families."""
    return "-".join(kinds[family] for family in FAMILIES)


ALL = pytest.mark.parametrize("kinds", list(combinations()), ids=name)


def built(**changes: Any) -> Transformer:
    """A small model with weights in which every part acts, to be evaluated."""
    return initialise(Transformer(model_config(**changes), VOCABULARY), seed=3).eval()


def tokens(count: int, length: int, seed: int = 0) -> torch.Tensor:
    """Random tokens."""
    return torch.randint(VOCABULARY, (count, length), generator=torch.Generator().manual_seed(seed))
