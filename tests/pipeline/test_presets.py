"""Every preset, put to use as a user does it, goes from text to page in its smoke size."""

import json

import pytest

from reprolm.presets import presets
from tests.pipeline.workspace import Workspace
from tests.settings import ROOT

FAST = {"minigpt", "moe_gqa"}
FORMS = [
    pytest.param(each.name, variant, marks=[] if each.name in FAST and not variant else pytest.mark.heavy)
    for each in presets(ROOT)
    for variant in ("", *each.variants)
]


@pytest.mark.parametrize(("name", "variant"), FORMS)
def test_a_preset_runs_end_to_end(work: Workspace, name: str, variant: str) -> None:
    form = ["--variant", variant] if variant else []
    said = work.run("reprolm", "preset", "use", name, *form, "--size", "smoke")
    assert "the former params.yaml is kept" in said
    assert "size smoke: " in said
    work.run("dvc", "repro")
    metrics = json.loads((work.path / "metrics" / "evaluate.json").read_text())
    assert 0 < metrics["bits_per_byte"] < metrics["references"]["uniform"]
    assert (work.path / "reports" / "index.html").is_file()
