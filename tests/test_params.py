"""params.yaml as a whole."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reprolm.config import Config, read_params
from reprolm.errors import Exit, ReprolmError
from reprolm.params import SECTIONS, acting
from tests.settings import ROOT


def raw() -> dict[str, Any]:
    return read_params(ROOT / "params.yaml")


def with_value(key: str, value: object) -> dict[str, Any]:
    """params.yaml with one value changed."""
    params = raw()
    *path, last = key.split(".")
    place: Any = params
    for part in path:
        place = place[part]
    place[last] = value
    return params


def keys(params: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for name, value in params.items():
        found += [f"{prefix}{name}"] if not isinstance(value, dict) else keys(value, f"{prefix}{name}.")
    return [key for key in found if not key.startswith("data.docstrings.packages")]


def refused(params: dict[str, Any]) -> str:
    with pytest.raises(ReprolmError) as caught:
        acting(params)
    assert caught.value.exit == Exit.PARAMETERS
    return str(caught.value)


def test_the_default_is_valid_and_options_of_other_kinds_do_not_act() -> None:
    flat = acting(raw())
    assert flat["model.position"] == "rope"
    assert "model.rope.theta" in flat
    assert not [key for key in flat if key.startswith("data.url.")]
    assert "train.adam.beta1" in flat


@pytest.mark.parametrize("key", keys(raw()))
def test_a_mistyped_key_is_named_with_the_right_one(key: str) -> None:
    wrong = key[:-2] + key[-1] + key[-2] if key[-1] != key[-2] else key + "e"
    params = with_value(wrong, 1)
    assert f"{wrong}: unknown key; did you mean" in refused(params)


@pytest.mark.parametrize("key", keys(raw()))
def test_a_group_where_a_value_belongs_is_named(key: str) -> None:
    assert key in refused(with_value(key, {"a": [1]}))


@pytest.mark.parametrize(
    "key", [key for key in keys(raw()) if isinstance(acting(raw()).get(key), int | float)]
)
@pytest.mark.parametrize("value", ["3e-4x", float("nan"), float("inf"), -1, [1], None])
def test_no_number_takes_what_is_no_number(key: str, value: object) -> None:
    if value is None and key in ("train.max_grad_norm", "sample.top_k", "sample.top_p"):
        pytest.skip("null switches it off")
    assert key in refused(with_value(key, value))


@pytest.mark.parametrize("key", [key for key in keys(raw()) if type(acting(raw()).get(key)) is int])
@pytest.mark.parametrize("value", [True, 1.5])
def test_no_whole_number_takes_true_or_a_fraction(key: str, value: object) -> None:
    assert key in refused(with_value(key, value))


def test_everything_that_is_wrong_is_told_at_once() -> None:
    params = with_value("model.n_heads", 7)
    params["train"]["learning_rat"] = params["train"].pop("learning_rate")
    params["evaluate"]["split"] = "train"
    params["trian"] = {}
    lines = refused(params).splitlines()
    starts = ["trian", "model.n_heads", "train.learning_rate", "train.learning_rat", "evaluate.split"]
    assert all(any(line.startswith(f"{start}: ") for line in lines) for start in starts)


@pytest.mark.parametrize(
    ("key", "value", "other"),
    [
        ("evaluate.stride", 10**6, "model.context_length"),
        ("sample.top_k", 10**6, "tokenizer.vocab_size"),
        ("train.warmup_steps", 10**6, "train.steps"),
        ("data.split.train", 0.5, "validation"),
        ("tokenizer.vocab_size", 100, "256"),
    ],
)
def test_an_impossible_combination_names_both(key: str, value: object, other: str) -> None:
    line = refused(with_value(key, value))
    assert key in line
    assert other in line


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"a: [1", "is not YAML"),
        (b"seed: 1\nseed: 2\n", "is not YAML"),
        (b"seed: \xff\n", "is not UTF-8"),
        (b"- 1\n", "has a wrong form"),
        (b"", "has a wrong form"),
        (b"#" * 70000, "is too large"),
        (b"a: !!python/object/apply:os.system ['touch canary']\n", "is not YAML"),
    ],
)
def test_a_file_that_is_no_mapping_is_one_line(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(ReprolmError, match=what) as caught:
        read_params(tmp_path / "params.yaml")
    assert caught.value.exit == Exit.PARAMETERS
    assert not (tmp_path / "canary").exists()


def test_numbers_are_read_as_dvc_writes_them(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("a: 1e-05\nb: 3e-4\nc: 012\nd: on\n")
    assert read_params(tmp_path / "p.yaml") == {"a": 1e-05, "b": 3e-4, "c": 12, "d": "on"}


def test_checking_needs_no_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from reprolm.config import read_params\n"
        "from reprolm.params import acting; acting(read_params(Path('params.yaml')))\n"
        "sys.exit(bool({'torch', 'mlflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={"PYTHONPATH": "src"}, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("section", SECTIONS.values(), ids=SECTIONS)
def test_no_field_of_a_section_has_a_default(section: type[Config]) -> None:
    waiting: list[type[Config]] = [section]
    while waiting:
        for name, field in waiting.pop().model_fields.items():
            assert field.is_required(), name
            if isinstance(field.annotation, type) and issubclass(field.annotation, Config):
                waiting.append(field.annotation)
