"""A small section `tokenizer`."""

from typing import Any

from reprolm.config import section
from reprolm.tokenizers.config import TokenizerConfig


def tokenizer_config(**changes: Any) -> TokenizerConfig:
    """As the repository's own params.yaml has it, with a vocabulary that small texts can fill."""
    values = {
        "kind": "huggingface", "vocab_size": 300, "end_of_document": True,
        "character": {"unknown": False}, "huggingface": {"min_frequency": 2},
        "bytepair": {"pattern": "gpt2", "min_frequency": 2},
    }  # fmt: skip
    return section({"tokenizer": values | changes}, "tokenizer", TokenizerConfig)
