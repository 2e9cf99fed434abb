"""The presets: valid, as large as the systems that they stand for, and put to use without losing anything."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import ruamel.yaml
import torch

from reprolm.config import read_params, section
from reprolm.errors import ReprolmError
from reprolm.model.config import ModelConfig
from reprolm.model.count import parameters
from reprolm.model.transformer import Transformer
from reprolm.params import acting
from reprolm.presets import Preset, preset, presets, put, rendered
from tests.settings import ROOT

ALL = list(presets(ROOT))
EVERY = [
    (each, variant, size)
    for each in ALL
    for variant, size in itertools.product([None, *each.variants], [None, *each.sizes])
]
ORIGINS = ("# [T]", "# [S]", "# [A]", "# -")


def loaded(text: str) -> dict[str, Any]:
    read: dict[str, Any] = ruamel.yaml.YAML(typ="safe", pure=True).load(text)
    return read


def params(chosen: Preset, variants: list[str], size: str | None = None) -> dict[str, Any]:
    return loaded(rendered(chosen, chosen.changes(variants, size)))


def test_the_five_reference_systems_are_there() -> None:
    names = {each.name for each in ALL}
    assert {"moe_gqa", "first_principles", "anecdotes", "minigpt", "tinystories"} <= names
    assert all("smoke" in each.sizes for each in ALL)


@pytest.mark.parametrize(
    ("name", "variants", "vocab_size", "total", "active"),
    [
        ("moe_gqa", [], 10_000, 27_348_864, 18_501_504),
        ("moe_gqa", ["dense"], 10_000, 18_497_664, 18_497_664),
        ("first_principles", [], 65, 10_690_625, 10_690_625),
        ("anecdotes", [], 1_024, 10_523_520, 10_523_520),
        ("anecdotes", ["nano"], 1_024, 501_408, 501_408),
        ("anecdotes", ["small"], 1_024, 79_448_832, 79_448_832),
        ("minigpt", [], 65, 10_788_929, 10_788_929),
        ("minigpt", ["nepali"], 66, 3_255_874, 3_255_874),
        ("tinystories", [], 10_000, 14_761_344, 14_761_344),
        ("tinystories", ["full"], 10_000, 22_696_448, 22_696_448),
        ("tinystories", ["owt50m"], 32_000, 45_224_448, 45_224_448),
        ("tinystories", ["owt125m"], 32_000, 134_105_856, 134_105_856),
        ("tinystories", ["owt125m", "tied"], 32_000, 109_529_856, 109_529_856),
    ],
)
def test_a_preset_has_the_parameters_of_its_original(
    name: str, variants: list[str], vocab_size: int, total: int, active: int
) -> None:
    raw = params(preset(ROOT, name), variants)
    if raw["tokenizer"]["kind"] != "character":
        assert raw["tokenizer"]["vocab_size"] == vocab_size
    with torch.device("meta"):
        counts = parameters(Transformer(section(raw, "model", ModelConfig), vocab_size))
    assert (counts["total"], counts["active"]) == (total, active)


@pytest.mark.parametrize("chosen", ALL, ids=lambda chosen: chosen.name)
def test_every_value_says_where_it_comes_from_and_what_does_not_act_is_marked(chosen: Preset) -> None:
    lines = [line for line in chosen.path.read_text().splitlines() if line and not line.startswith("#")]
    for line in lines:
        group_or_item = line.split("#")[0].rstrip().endswith(":") or line.strip().startswith("- ")
        assert group_or_item or any(origin in line for origin in ORIGINS), line


def idle(text: str) -> set[str]:
    """The parameters whose first mark is `-`, by dotted name."""
    groups: list[tuple[int, str]] = []
    found = set()
    for line in text.splitlines():
        if line.strip().startswith(("#", "- ")) or not line.strip():
            continue
        depth, (value, _, comment) = len(line) - len(line.lstrip()), line.partition(" #")
        groups = [group for group in groups if group[0] < depth] + [(depth, value.split(":")[0].strip())]
        marks = [word for word in comment.split() if word in ("[T]", "[S]", "[A]", "-")]
        if marks[:1] == ["-"]:
            found.add(".".join(name for _, name in groups))
    return found


@pytest.mark.parametrize(("chosen", "variant", "size"), EVERY, ids=lambda x: getattr(x, "name", x))
def test_every_variant_of_every_preset_in_every_size_is_valid_and_marks_just_what_does_not_act(
    chosen: Preset, variant: str | None, size: str | None
) -> None:
    text = rendered(chosen, chosen.changes([variant] if variant else [], size))
    raw = loaded(text)
    packages = {f"data.docstrings.packages.{name}" for name in raw["data"]["docstrings"]["packages"]}

    def leaves(group: dict[str, Any], prefix: str = "") -> set[str]:
        nested = [leaves(value, f"{prefix}{key}.") for key, value in group.items() if isinstance(value, dict)]
        return {f"{prefix}{key}" for key, value in group.items() if not isinstance(value, dict)}.union(
            *nested
        )

    assert idle(text) == leaves(raw) - set(acting(raw)) | packages


@pytest.mark.parametrize("chosen", ALL, ids=lambda chosen: chosen.name)
def test_a_preset_has_every_parameter_that_the_default_has(chosen: Preset) -> None:
    def keys(group: dict[str, Any], prefix: str = "") -> set[str]:
        nested = {k: v for k, v in group.items() if isinstance(v, dict) and k != "packages"}
        deeper = set().union(*(keys(v, f"{prefix}{k}.") for k, v in nested.items()))
        return {f"{prefix}{k}" for k in group} | deeper

    assert keys(read_params(chosen.path)) == keys(read_params(ROOT / "params.yaml"))


def test_a_change_leaves_every_other_line_as_it_is() -> None:
    chosen = preset(ROOT, "minigpt")
    before, after = (rendered(chosen, changes).splitlines() for changes in ({}, {"model.dropout": 0.25}))
    different = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert different == [
        ("  dropout: 0.3                    # [S]", "  dropout: 0.25                   # instead of 0.3 [S]")
    ]


def test_what_is_not_known_is_one_line_that_names_what_is() -> None:
    with pytest.raises(ReprolmError, match=r"preset: is not known \(got mingpt; want .*minigpt"):
        preset(ROOT, "mingpt")
    with pytest.raises(ReprolmError, match=r"--variant: preset minigpt has no such variant .*want corrected"):
        preset(ROOT, "minigpt").changes(["right"])
    with pytest.raises(ReprolmError, match="changes what is not in the preset"):
        rendered(preset(ROOT, "minigpt"), {"model.dropuot": 0.1})


def test_the_former_parameters_are_kept(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seed: 7  # mine\n")
    kept = put(tmp_path, "seed: 1\n")
    assert kept is not None
    assert kept.read_text() == "seed: 7  # mine\n"
    assert (tmp_path / "params.yaml").read_text() == "seed: 1\n"
    assert put(tmp_path, "seed: 1\n") is None
