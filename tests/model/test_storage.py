"""Models on disk."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from reprolm.errors import Exit, ReprolmError
from reprolm.model.initialise import initialise
from reprolm.model.storage import load_model, save_model
from reprolm.model.transformer import Transformer
from reprolm.store import publish_directory
from tests.settings import model_config


def saved(path: Path, *, tied: bool = True) -> Transformer:
    model = initialise(Transformer(model_config(tie_embeddings=tied), 40), seed=1).eval()
    with publish_directory(path) as out:
        save_model(out, model, {"tokenizer": "abc"})
    return model


@pytest.mark.parametrize("tied", [True, False])
def test_a_loaded_model_computes_the_same(tmp_path: Path, tied: bool) -> None:
    model = saved(tmp_path / "m", tied=tied)
    loaded, facts = load_model(tmp_path / "m")
    x = torch.arange(16)[None]
    assert torch.equal(model(x), loaded(x))
    assert facts["tokenizer"] == "abc"
    assert (loaded.head.weight is loaded.embedding.weight) == tied


def test_the_same_model_is_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        saved(tmp_path / name)
    for file in ("model.safetensors", "config.json", "manifest.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize("at", [0, 100, -1])
def test_a_flipped_bit_is_found(tmp_path: Path, at: int) -> None:
    saved(tmp_path / "m")
    path = tmp_path / "m" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[at] ^= 4
    path.write_bytes(content)
    with pytest.raises(ReprolmError, match="has other bytes") as caught:
        load_model(tmp_path / "m")
    assert caught.value.exit == Exit.INTEGRITY


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReprolmError, match="is not there") as caught:
        load_model(tmp_path / "none")
    assert caught.value.exit == Exit.MISSING


def test_a_model_whose_options_are_of_another_version_is_named_with_the_first(tmp_path: Path) -> None:
    saved(tmp_path / "m")
    with publish_directory(tmp_path / "other") as out:
        for file in ("model.safetensors", "config.json"):
            shutil.copy(tmp_path / "m" / file, out / file)
        config = json.loads((out / "config.json").read_text())
        del config["model"]["qk_norm"]
        (out / "config.json").write_text(json.dumps(config))
    with pytest.raises(ReprolmError, match=r"config\.json: was made by another version.*qk_norm") as caught:
        load_model(tmp_path / "other")
    assert caught.value.exit == Exit.INTEGRITY
