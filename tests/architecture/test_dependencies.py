"""What DVC believes a stage depends on is what it depends on."""

import re

import pytest

from tests.architecture.closure import (
    NUMERICS,
    ROOT,
    all_code_deps,
    code_deps,
    folded,
    is_code,
    pipeline,
    sections_read,
)

STAGES = pipeline()["stages"]


@pytest.mark.parametrize("stage", STAGES)
def test_the_code_that_a_stage_depends_on_is_the_code_that_it_reaches(stage: str) -> None:
    written = [dep for dep in STAGES[stage]["deps"] if is_code(dep)]
    assert written == all_code_deps(stage), "run `make deps`"


@pytest.mark.parametrize("stage", STAGES)
def test_a_package_stands_for_its_modules_only_where_the_stage_reaches_all_of_them(stage: str) -> None:
    reached, written = code_deps(stage), folded(code_deps(stage))
    packages = [dep for dep in written if (ROOT / dep).is_dir()]
    within = {str(file.relative_to(ROOT)) for dep in packages for file in (ROOT / dep).rglob("*.py")}
    assert within <= set(reached)
    left = set(reached) - within - set(written)
    assert all((ROOT / file).read_text().count('"""') == 2 and file.endswith("__init__.py") for file in left)


@pytest.mark.parametrize("stage", STAGES)
def test_the_parameters_that_a_stage_depends_on_are_those_that_it_reads(stage: str) -> None:
    written = {
        param if isinstance(param, str) else f"{next(iter(param))}:" for param in STAGES[stage]["params"]
    }
    assert written == sections_read(stage)


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "check"])
def test_every_stage_waits_for_the_check_of_the_parameters(stage: str) -> None:
    assert "data/parameters.ok" in STAGES[stage]["deps"]


def test_a_change_in_the_report_or_in_a_sampler_retrains_nothing() -> None:
    reached = code_deps("train")
    assert not [dep for dep in reached if "/report/" in dep or "/generate/" in dep or "/tracking/" in dep]


def test_the_pins_that_change_bits_are_those_of_the_lock() -> None:
    locked = set((ROOT / "requirements.lock").read_text().splitlines())
    pins = (ROOT / NUMERICS).read_text().splitlines()
    names = ["ftfy", "numpy", "regex", "safetensors", "tokenizers", "torch"]
    assert [re.split("==", pin)[0] for pin in pins] == names
    assert set(pins) <= locked


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_names_torch_plainly_and_no_index(lock: str) -> None:
    lines = (ROOT / lock).read_text().splitlines()
    assert "torch==2.13.0" in lines
    assert not [line for line in lines if re.search(r"://|--|^#|^(nvidia|cuda|triton)|\+cpu|file:", line)]
