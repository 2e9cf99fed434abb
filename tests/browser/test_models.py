"""What MLflow shows of the models of runs: a page of models, and the samples of several side by side."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE_MILLISECONDS, RATES
from tests.browser.test_pages import NAME, ROW
from tests.pipeline.workspace import Workspace

pytestmark = pytest.mark.browser
expect.set_options(timeout=PATIENCE_MILLISECONDS)
SEEN = """text => text.getBoundingClientRect().right <=
  text.closest(".ag-header-viewport").getBoundingClientRect().right"""
CUT_OFF = "parts => parts.some(part => part.clientWidth && part.scrollWidth > part.clientWidth + 1)"
OF_TWO_AXES = "learning_rate=0.00316,n_layers=12"


def samples(work: Workspace) -> dict[str, dict[str, str]]:
    """By run and prompt what was drawn, as the runs keep it."""
    found = {}
    for run in work.runs():
        table = json.loads(
            Path(work.client().download_artifacts(run.info.run_id, "samples.json")).read_text()
        )
        found[str(run.info.run_name)] = {sample: text for sample, text, *_ in table["data"]}
    return found


def test_the_evaluation_view_shows_the_samples_of_runs_beside_each_other(page: Page, work: Workspace) -> None:
    drawn = samples(work)
    boxes = page.locator(".ag-row .ag-checkbox-input")
    expect(boxes).to_have_count(len(RATES))
    page.locator("label", has=page.locator("input[name=runs-view-mode][value=ARTIFACT]")).click()
    expect(page.get_by_test_id("dropdown-tables")).to_contain_text("samples.json")
    for prompt in next(iter(drawn.values())):
        expect(page.get_by_text(prompt, exact=True)).to_be_visible()
        places = []
        for name, texts in drawn.items():
            text = page.get_by_text(" ".join(texts[prompt].split()))
            expect(text).to_be_visible()
            head = page.get_by_role("link", name=name).last.bounding_box()
            place = text.bounding_box()
            assert head is not None
            assert place is not None
            assert abs(head["x"] - place["x"]) < 60, "the text stands under the name of its run"
            places.append((place["x"], place["y"]))
        assert len({x for x, _ in places}) == len(RATES)
        assert len({y for _, y in places}) == 1


def test_the_page_of_models_has_one_for_each_run(page: Page, work: Workspace) -> None:
    expect(page.locator(ROW)).to_have_count(len(RATES))
    page.get_by_role("link", name="Models", exact=True).click()
    expect(page.get_by_text("Ready", exact=True)).to_have_count(len(RATES))
    expect(page.locator(NAME)).to_have_count(len(RATES))
    for run in work.runs():
        expect(page.get_by_text(str(run.info.run_name), exact=True)).to_have_count(2)


def test_the_name_of_an_experiment_of_two_axes_is_not_cut_off_nor_the_scores_beside_it(
    page: Page, work: Workspace
) -> None:
    run = work.runs()[-1].info
    for name in (OF_TWO_AXES, OF_TWO_AXES * 2):
        work.client().set_tag(run.run_id, "mlflow.runName", name)
        page.reload()
        expect(page.locator(NAME, has_text=name)).to_have_count(1)
        cut = page.locator(NAME, has_text=name).locator("*").evaluate_all(CUT_OFF)
        assert bool(cut) is (name != OF_TWO_AXES), "a name of twice the length has to be"
    work.client().set_tag(run.run_id, "mlflow.runName", run.run_name)
    assert page.get_by_text("train/best_validation_loss", exact=True).evaluate(SEEN)
    assert not page.get_by_text("train.steps", exact=True).evaluate(SEEN)
