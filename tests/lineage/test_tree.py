"""The lineage of a run as its tags tell it."""

import re
from pathlib import Path

import pytest

from reprolm.errors import Exit, ReprolmError
from reprolm.lineage.runs import found
from reprolm.lineage.tree import show
from reprolm.report.lineage import OUTPUTS
from reprolm.tracking.destination import Destination
from reprolm.tracking.shipper import sync
from tests.tracking.executions import Written


def computed(root: Path, name: str, stages: list[str]) -> Written:
    """A run in which each of some stages ran, with the digest of what it made."""
    written = Written(root, name=name, command="dvc repro")
    for number, stage in enumerate(stages):
        written.start(stage)
        written.add("outputs", stage=stage, outputs={stage: f"{number}{stage.encode().hex():0<63.63}"})
        written.end(stage)
    return written


STAGES = [output.stage for output in OUTPUTS]


@pytest.fixture
def two(repository: Path, to: Destination) -> Path:
    """A run that computed everything, and one that took all but the samples from the cache."""
    first = computed(repository, "vexed-moth", [*STAGES, "report"])
    sync(repository)
    second = Written(repository, name="wider", command="dvc repro")
    for number, stage in enumerate(STAGES[:-1]):
        outputs = {stage: f"{number}{stage.encode().hex():0<63.63}"}
        second.add("cached", stage=stage, numbers={}, outputs=outputs)
    second.start("sample")
    second.end("sample")
    second.start("report")
    second.end("report")
    assert first.directory != second.directory
    sync(repository)
    return repository


def test_each_output_hangs_under_what_it_was_made_from(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show(two, "vexed-moth", two / "page.html")
    lines = capsys.readouterr().out.splitlines()
    depth = {name: next(len(re.match(r"[ │├└─]*", line)[0]) for line in lines if f"{name} " in line)  # type: ignore[index]
             for name in ("corpus", "tokenizer", "tokens", "model", "evaluation", "samples")}  # fmt: skip
    assert list(depth.values()) == [0, 3, 6, 9, 12, 12]
    assert sum("computed by this run" in line for line in lines) == len(OUTPUTS) + 1
    digest = f"{len(STAGES)}{b'report'.hex()}"[:12]
    assert f"page {digest}  computed by this run" in lines


def test_what_came_from_the_cache_names_the_run_that_computed_it_in_both_forms(
    two: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show(two, "wider", two / "page.html")
    tree, page = capsys.readouterr().out, (two / "page.html").read_text()
    name = found(two, "vexed-moth").name
    for text in (tree, page):
        assert text.count(f"computed by {name}") == len(OUTPUTS) - 1
    assert page.count('class="dot"') == len(OUTPUTS) - 1  # the digest of the samples is not known
    assert page.count('class="dot absent"') == 1
    assert "src=" not in page


def test_a_run_is_found_by_name_and_by_the_beginning_of_its_id(two: Path) -> None:
    run = found(two, "wider")
    assert {found(two, word).id for word in (run.id, run.id[:8])} == {run.id}


def test_the_latest_is_the_run_that_began_last(repository: Path, to: Destination) -> None:
    ids = [to.client.create_run(to.experiment, at).info.run_id for at in (2000, 3000, 1000)]
    assert found(repository, "latest").id == ids[1]


def test_a_name_that_no_run_has_or_several_have_is_refused(two: Path) -> None:
    with pytest.raises(ReprolmError, match="is not known") as caught:
        found(two, "nobody")
    assert caught.value.exit is Exit.MISSING
    computed(two, "wider", ["download", "report"])
    sync(two)
    with pytest.raises(ReprolmError, match="names several runs") as caught:
        found(two, "wider")
    assert caught.value.exit is Exit.PARAMETERS
