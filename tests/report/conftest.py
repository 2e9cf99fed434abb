"""A small run as its stages leave it, with text that would do harm if it were not escaped."""

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from reprolm.store import publish_directory, publish_file, publish_json

PARAMS: dict[str, Any] = {
    "seed": 1,
    "threads": 2,
    "data.source": "docstrings",
    "data.split.by": "auto",
    "data.split.train": 0.9,
    "data.split.validation": 0.05,
    "data.split.test": 0.05,
    "data.docstrings.packages": {"numpy": "2.3.1", "scipy": "1.16.0"},
    "tokenizer.kind": "huggingface",
    "tokenizer.huggingface.vocab_size": 2048,
    "encode.shard_tokens": 1 << 24,
    "model.context_length": 256,
    "model.d_model": 128,
    "model.n_layers": 4,
    "model.position": "rope",
    "model.rope.theta": 10000.0,
    "train.learning_rate": 3e-3,
    "train.batch_size": 32,
    "train.schedule": "cosine",
    "evaluate.split": "validation",
    "sample.prompts": ["Parameters\n----------\n", "<script>alert(1)</script>"],
    "sample.temperature": 0.8,
}
METRICS: dict[str, dict[str, Any]] = {
    "download": {
        "documents": 3142,
        "bytes": 13204881,
        "characters": 13190233,
        "duplicate_documents": 17,
        "splits": {
            "train": {"documents": 2828, "bytes": 11884393, "characters": 11871210},
            "validation": {"documents": 157, "bytes": 660244, "characters": 659511},
            "test": {"documents": 157, "bytes": 660244, "characters": 659512},
        },
    },
    "train_tokenizer": {
        "vocab_size": 2048,
        "bytes_per_token": 3.412345,
        "tokens_per_word": 1.71,
        "unused_entries": 3,
    },
    "encode": {
        "tokens": 3869120,
        "splits": {
            "train": {"tokens": 3482208},
            "validation": {"tokens": 193456},
            "test": {"tokens": 193456},
        },
    },
    "train": {
        "parameters": {
            "embedding": 262_144,
            "attention": 196_608,
            "feedforward": 370_000,
            "norm": 1248,
            "total": 830_000,
        },
        "steps": 600,
        "tokens": 4915200,
        "best_validation_loss": 3.125,
        "best_step": 550,
        "final_train_loss": 3.0512,
    },
    "evaluate": {
        "split": "validation",
        "loss": 4.2338,
        "perplexity": 22.751,
        "bits_per_byte": 1.7904,
        "bits_per_byte_all": 1.8011,
        "targets": 193455,
        "windows": 1512,
        "references": {"uniform": 3.2236, "unigram": 2.7012, "bigram": 2.0513, "gzip": 1.9127, "xz": 1.5402},
    },
}
SAMPLES = [
    {
        "prompt": "Parameters\n----------\n",
        "draw": 0,
        "text": "x : array_like\n    The values to be transformed along the given axis.\n"
        "axis : int, optional\n"
        "    Axis along which the means are computed. Default is None.\n\nReturns\n-------\n"
        "out : ndarray\n    An array of the same shape as `x`, with the mean of each row subtracted.\n",
    },
    {
        "prompt": "Compute the ",
        "draw": 0,
        "text": "mean of the input array over the specified axis.\n\tTabbed & tidy.",
    },
    {
        "prompt": "<script>alert(1)</script>",
        "draw": 1,
        "text": "</div></body><img src=https://evil.test/x.png>\x00\x1b[31m\x7f",
    },
    {"prompt": "", "draw": 2, "text": "Слова и देवनागरी, \u202eturned\u202c around: \ud800 alone.\n" * 3},
]


def curves(steps: int = 600) -> str:
    chance = random.Random(0)
    lines = ["step,tokens,train_loss,validation_loss,learning_rate,gradient_norm,attention_entropy"]
    for step in range(steps + 1):
        level = 3.0 + 4.6 * math.exp(-step / 60) * (1 - min(step, 20) / 80)
        train = f"{level + chance.gauss(0, 0.09):.6f}" if step else ""
        validation = f"{level + 0.06 + 0.0001 * max(step - 550, 0):.6f}" if step % 50 == 0 else ""
        rate = 0.003 * min(step / 30, 0.5 * (1 + math.cos(math.pi * step / steps)))
        norm = f"{0.3 + 3 * math.exp(-step / 30) + abs(chance.gauss(0, 0.1)):.5f}" if step else ""
        entropy = f"{0.6 + 0.3 * math.exp(-step / 100):.5f}" if step % 50 == 0 else ""
        lines.append(f"{step},{step * 8192},{train},{validation},{rate:.8f},{norm},{entropy}")
    return "\n".join(lines) + "\n"


def positions() -> str:
    lines = ["position,loss,standard_error"]
    for power in range(9):
        position = 2**power
        lines.append(f"{position},{2.9 + 2.6 * position**-0.55:.5f},{0.06 / (1 + power):.5f}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for stage, numbers in METRICS.items():
        publish_json(tmp_path / f"metrics/{stage}.json", numbers)
    publish_file(tmp_path / "plots/train.csv", curves())
    settings = {"temperature": 0.8, "top_k": 50, "top_p": None}
    for name in ("data/corpus", "data/tokenizer", "data/tokens", "models/model"):
        with publish_directory(tmp_path / name) as directory:
            publish_file(directory / "content", name)
    with publish_directory(tmp_path / "reports/evaluate") as directory:
        publish_file(directory / "by_position.csv", positions())
    with publish_directory(tmp_path / "reports/samples") as directory:
        # json.dumps keeps the lone surrogate as an escape, as a foreign writer might
        publish_file(directory / "samples.json", json.dumps([sample | settings for sample in SAMPLES]))
    publish_file(tmp_path / "params.yaml", "seed: 1\n")
    publish_file(tmp_path / "requirements.lock", "numpy==2.3.1\n")
    return tmp_path


@pytest.fixture
def params() -> dict[str, Any]:
    return dict(PARAMS)
