"""Who may import whom."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.closure import PACKAGE, ROOT, imported

FOUNDATION = {"errors", "seeds", "names", "progress", "processes", "quantities", "threads"}
BELOW = FOUNDATION | {"config", "store", "journal", "device", "distributed"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "seeds": set(),
    "names": set(),
    "progress": set(),
    "processes": {"errors"},
    "quantities": set(),
    "threads": set(),
    "config": {"errors"},
    "device": {"errors"},
    "distributed": {"config", "errors", "seeds", "store"},
    "store": {"errors"},
    "journal": {"errors", "store"},
    "tokenizers": BELOW | {"corpus.read", "corpus.text"},
    "model": BELOW,
    "optim": BELOW,
    "corpus": BELOW,
    "data": BELOW | {"tokenizers", "corpus.read"},
    "generate": BELOW | {"model"},
    "evaluate": BELOW | {"corpus", "data", "generate", "model", "tokenizers"},
    "diagnose": BELOW | {"model"},
    "train": BELOW | {"data", "diagnose", "model", "optim", "evaluate.loss"},
    "tracking": BELOW | {"params", "diagnose.compare", "tokenizers.load"},
    "report": BELOW | {"diagnose.events", "evaluate", "tracking"},
    "params": BELOW | {"corpus", "data", "evaluate", "generate", "model", "tokenizers", "train"},
    "presets": BELOW | {"params"},
    "rwlock": {"errors", "store"},
    "plan": BELOW | {"corpus", "data", "model", "optim", "params", "tokenizers", "tracking", "train"},
    "sweep": BELOW | {"compare", "params", "plan", "tokenizers.config", "tracking"},
    "compare": BELOW | {"report", "tracking"},
    "lineage": BELOW | {"report", "tracking", "train"},
    "registry": BELOW | {"evaluate", "generate", "lineage", "model", "tokenizers", "tracking"},
    "export": BELOW | {"data", "evaluate", "model", "tokenizers", "tracking"},
    "doctor": BELOW | {"lineage", "rwlock", "tracking"},
}
ANYTHING = {"cli", "__main__", "__init__"}
"""What ties the rooms together."""
CONFIGS = sorted(PACKAGE.glob("*/config.py"))


def name(path: Path) -> str:
    """`model.norm` for src/reprolm/model/norm.py."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def allowed(importer: str, imports: str) -> bool:
    """Whether one module may import the other."""
    layer, other = importer.split(".", maxsplit=1)[0], imports.split(".", maxsplit=1)[0]
    if layer in ANYTHING or layer == other or imports == "__init__":
        return True
    permitted = ALLOWED.get(layer, set())
    return other in permitted or any(imports == p or p == f"{imports}.{p.split('.')[-1]}" for p in permitted)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=name)
def test_a_module_imports_only_from_the_layers_below_it(path: Path) -> None:
    wrong = sorted(name(other) for other in imported(path) if not allowed(name(path), name(other)))
    assert not wrong, f"{name(path)} may not import {wrong}"


def test_the_rule_forbids_what_it_should() -> None:
    assert not allowed("model.norm", "train.loop")
    assert not allowed("data.shards", "model.norm")
    assert not allowed("train.loop", "evaluate.perplexity")
    assert not allowed("train.loop", "tracking.stage")
    assert not allowed("a_new_room.module", "errors")
    assert allowed("train.loop", "evaluate.loss")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=name)
def test_nothing_imports_the_command_or_a_stage(path: Path) -> None:
    assert "cli" not in {name(other) for other in imported(path)} or name(path) == "__main__"


@pytest.mark.parametrize("path", CONFIGS, ids=name)
def test_the_types_of_a_section_need_neither_torch_nor_mlflow(path: Path) -> None:
    heavy = "{'torch', 'mlflow', 'numpy'}"
    code = f"import sys, reprolm.{name(path)}; sys.exit(bool({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={"PYTHONPATH": "src"}, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=name)
def test_a_file_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("path", sorted((ROOT / "stages").glob("*.py")), ids=lambda p: p.stem)
def test_a_stage_is_thin(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 60
