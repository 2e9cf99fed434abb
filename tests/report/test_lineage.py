"""Lineage: digests of what is there, edges between them."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from ruamel.yaml import YAML

from reprolm.report import lineage
from reprolm.store import directory_digest, publish_directory, publish_file

PIPELINE = Path(__file__).parents[2] / "dvc.yaml"


def test_sources_are_published_before_what_is_made_from_them() -> None:
    seen: set[str] = set()
    for output in lineage.OUTPUTS:
        assert set(output.sources) <= seen
        seen.add(output.name)


def test_the_sources_of_an_output_are_what_its_stage_depends_on() -> None:
    pipeline = YAML(typ="safe").load(PIPELINE)["stages"]
    for output in lineage.OUTPUTS:
        made_from = {each.name for each in lineage.OUTPUTS if each.path in pipeline[output.stage]["deps"]}
        assert output.path in pipeline[output.stage]["outs"]
        assert set(output.sources) == made_from, output.name


def test_digests_are_those_of_the_manifests_and_follow_the_content(root: Path) -> None:
    before = {node.output.name: node.digest for node in lineage.nodes(root)}
    assert before["model"] == directory_digest(root / "models/model")
    with publish_directory(root / "models/model") as directory:
        publish_file(directory / "content", "another")
    after = {node.output.name: node.digest for node in lineage.nodes(root)}
    assert {name for name in after if after[name] != before[name]} == {"model"}


def test_every_source_has_a_line_and_what_is_missing_is_marked(root: Path, tmp_path: Path) -> None:
    edges = sum(len(output.sources) for output in lineage.OUTPUTS)
    whole = ET.fromstring(lineage.rails(lineage.nodes(root)))
    assert len(whole.findall("path")) == edges
    assert not [each for each in whole if "absent" in each.get("class", "")]
    nothing = ET.fromstring(lineage.rails(lineage.nodes(tmp_path / "nothing")))
    assert len([each for each in nothing if "absent" in each.get("class", "")]) == edges + len(
        lineage.OUTPUTS
    )


def test_arcs_stay_inside_the_drawing(root: Path) -> None:
    for path in ET.fromstring(lineage.rails(lineage.nodes(root))).findall("path"):
        start, control = (float(x) for x in re.findall(r"[MC](-?[\d.]+) ", path.get("d", "")))
        assert start + 0.75 * (control - start) >= 2


def test_only_files_that_are_there_are_given(tmp_path: Path) -> None:
    publish_file(tmp_path / "params.yaml", "")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert lineage.given(tmp_path) == {"params.yaml": empty}
