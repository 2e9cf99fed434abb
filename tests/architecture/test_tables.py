"""The tables in the code that say what dvc.yaml says."""

from reprolm.report.inputs import MEASURED
from reprolm.report.lineage import OUTPUTS
from reprolm.tracking.pipeline import CLOSING, CURVE, STAGES
from tests.architecture.closure import pipeline

PIPELINE = pipeline()["stages"]
RECORDED = [name for name in PIPELINE if name != "check"]


def paths(entries: object) -> list[str]:
    """The paths of `outs:`, `metrics:` or `plots:`, with their options or without."""
    assert isinstance(entries, list)
    return [each if isinstance(each, str) else next(iter(each)) for each in entries]


def upstream(stage: str) -> set[str]:
    """The stages that a stage waits for, as dvc.yaml has them."""
    made = {
        path: name
        for name in PIPELINE
        for kind in ("outs", "metrics", "plots")
        for path in paths(PIPELINE[name].get(kind) or [])
    }
    before = {made[dep] for dep in PIPELINE[stage]["deps"] if dep in made} - {"check"}
    return before.union(*map(upstream, before))


def test_every_stage_but_the_check_is_recorded_in_the_order_of_the_pipeline() -> None:
    assert list(STAGES) == RECORDED
    assert RECORDED[-1] == CLOSING


def test_the_stages_before_a_stage_are_those_that_it_waits_for() -> None:
    for name, entry in STAGES.items():
        assert set(entry.after) == upstream(name), name


def test_outputs_numbers_and_curve_lie_where_the_pipeline_writes_them() -> None:
    for name, entry in STAGES.items():
        stage = PIPELINE[name]
        if name != CLOSING:
            assert str(entry.output) == paths(stage["outs"])[0]  # what others are made from comes first
            assert [str(entry.metrics)] == paths(stage["metrics"])
    assert str(CURVE) in paths(PIPELINE["train"]["plots"])


def test_the_page_and_its_lineage_show_every_stage_that_publishes() -> None:
    assert list(MEASURED) == RECORDED[:-1]
    assert [(each.stage, each.path) for each in OUTPUTS] == [
        (name, str(STAGES[name].output)) for name in RECORDED[:-1]
    ]
