"""Exported folders, loaded by `transformers` in this process, which costs less than a fresh one each time."""

import json
from pathlib import Path
from typing import Any

import pytest

from reprolm.errors import Exit, ReprolmError
from reprolm.export import folder, foreign, parity
from reprolm.export.layout import Layout
from reprolm.export.parity import Parity
from reprolm.store import directory_digest, verified
from reprolm.tokenizers.character import CharacterTokenizer
from reprolm.tokenizers.huggingface import HuggingFaceTokenizer
from reprolm.tokenizers.load import KINDS
from tests.export.published import publish
from tests.model.test_references import CASES
from tests.tokenizers.settings import tokenizer_config

TEXT = "The quick brown fox jumps over the lazy dog. " * 20
BYTE_LEVEL = HuggingFaceTokenizer.train([TEXT], tokenizer_config(vocab_size=270))
OF_KINDS = {kind: KINDS[kind].train([TEXT], tokenizer_config(kind=kind, vocab_size=264)) for kind in KINDS}
CHARACTERS = CharacterTokenizer.train([TEXT], tokenizer_config(kind="character"))
UNKNOWN = tokenizer_config(kind="character", character={"unknown": True})
SMALL = CharacterTokenizer.train(["abc def "], UNKNOWN)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")

    def ask(folder: Path, exchange: Path) -> str:
        foreign.main(folder, exchange)
        return ""

    monkeypatch.setattr(parity, "ask", ask)


def exported(root: Path) -> tuple[Layout, Parity]:
    places = (root / "models" / "model", root / "data" / "tokenizer", root / "data" / "tokens", root / "out")
    return folder.export(*places)


def left(root: Path) -> list[str]:
    """What lies beside the model and the tokenizer."""
    return sorted({path.name for path in root.iterdir()} - {".dvc", "data", "models"})


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_each_layout_is_loaded_and_gives_the_same_numbers(tmp_path: Path, name: str, tied: bool) -> None:
    kinds = CASES[name][-1] | {"tie_embeddings": tied}
    publish(tmp_path, SMALL, **kinds)
    layout, found = exported(tmp_path)
    assert layout.name == name
    assert found.logit_difference <= 1e-5
    assert found.greedy_tokens >= 64
    assert found.perplexity_difference <= 1e-5
    assert left(tmp_path) == ["out"]
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["architectures"] == [layout.architecture]
    assert config["tie_word_embeddings"] == tied


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_is_whole_and_its_card_tells_what_was_proved(tmp_path: Path, kind: str) -> None:
    tokenizer = OF_KINDS[kind]
    publish(tmp_path, tokenizer)
    _, found = exported(tmp_path)
    out = verified(tmp_path / "out")
    assert {path.name for path in out.iterdir()} == {
        "README.md", "config.json", "generation_config.json", "manifest.json", "model.safetensors",
        "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    card = (out / "README.md").read_text()
    digests = [directory_digest(tmp_path / "models" / "model"), tokenizer.digest]
    numbers = [f"{found.logit_difference:.2e}", f"{found.perplexity_difference:.2e}", "| 64 | 64 |"]
    for word in (*digests, *numbers, "reprolm export hf out", '"feedforward": "relu2"', "ApertusForCausalLM"):
        assert word in card


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        publish(tmp_path / name, SMALL)
        exported(tmp_path / name)
    assert directory_digest(tmp_path / "a" / "out") == directory_digest(tmp_path / "b" / "out")


def test_a_wrong_tensor_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path, SMALL)
    converted = Layout.converted

    def wrong(self: Layout, config: Any, ours: Any) -> Any:
        theirs = converted(self, config, ours)
        name = "model.layers.1.self_attn.k_norm.weight"
        return theirs | {name: theirs[name].flip(0)}

    monkeypatch.setattr(Layout, "converted", wrong)
    with pytest.raises(
        ReprolmError, match=r"out: no export: gives other logits \(got .*; want at most"
    ) as caught:
        exported(tmp_path)
    assert caught.value.exit is Exit.INTEGRITY
    assert left(tmp_path) == []


def test_a_missing_tensor_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path, SMALL)
    converted = Layout.converted

    def lacking(self: Layout, config: Any, ours: Any) -> Any:
        theirs = converted(self, config, ours)
        del theirs["model.layers.0.mlp.up_proj.weight"]
        return theirs

    monkeypatch.setattr(Layout, "converted", lacking)
    with pytest.raises(ReprolmError, match=r"lacks tensors.*model.layers.0.mlp.up_proj.weight"):
        exported(tmp_path)
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("greedy", lambda rows: [[*row[:-1], (row[-1] + 1) % 8] for row in rows], "writes other tokens"),
        ("loss", lambda loss: loss + 0.002, "has another perplexity"),
        ("loss", lambda loss: float("nan"), "has another perplexity"),
        ("ids", lambda ids: [each[::-1] for each in ids], "encodes .* with other ids"),
        ("texts", lambda texts: [text.replace("b", "b ") for text in texts], "decodes .* otherwise"),
    ],
)  # fmt: skip
def test_any_other_answer_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: Any, what: str
) -> None:
    publish(tmp_path, SMALL)

    def ask(folder: Path, exchange: Path) -> str:
        foreign.main(folder, exchange)
        answered = json.loads((exchange / foreign.ANSWERED).read_text())
        (exchange / foreign.ANSWERED).write_text(json.dumps(answered | {key: value(answered[key])}))
        return ""

    monkeypatch.setattr(parity, "ask", ask)
    with pytest.raises(ReprolmError, match=what) as caught:
        exported(tmp_path)
    assert caught.value.exit is Exit.INTEGRITY
    assert len(str(caught.value).splitlines()) == 1
    assert left(tmp_path) == []


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    publish(tmp_path, SMALL)
    with (tmp_path / "models" / "model" / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    with pytest.raises(ReprolmError, match="has other bytes") as caught:
        exported(tmp_path)
    assert caught.value.exit is Exit.INTEGRITY
    assert left(tmp_path) == []


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    publish(tmp_path, SMALL)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(ReprolmError, match="exists already"):
        exported(tmp_path)
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_without_transformers_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path, SMALL)
    monkeypatch.setattr(parity.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ReprolmError, match=r"pip install 'reprolm\[export\]'") as caught:
        exported(tmp_path)
    assert caught.value.exit is Exit.MISSING
