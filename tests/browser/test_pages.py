"""What a reader sees who types `reprolm ui` and opens the address that it says."""

import re

import pytest
from playwright.sync_api import Page, expect

from reprolm.tracking.charts import CURVES, QUALITY
from reprolm.tracking.view import COLUMNS
from tests.browser.conftest import PATIENCE_MILLISECONDS, RATES

pytestmark = pytest.mark.browser
expect.set_options(timeout=PATIENCE_MILLISECONDS)
ROW = ".ag-center-cols-container .ag-row"
LINE = ".scatterlayer path.js-line"
PATIENCE = 100
PLOT = f".js-plotly-plot:has({LINE})"
BAR = ".js-plotly-plot .barlayer .point"
CUT_OFF = """heads => heads.filter(head => [...head.querySelectorAll("*")].some(
  each => each.clientWidth && each.scrollWidth > each.clientWidth + 1
)).map(head => head.textContent.trim())"""
NAME = "a[href*='/runs/']"


def open_run(page: Page, at: int = 0) -> None:
    """Opens a run from the table, the newest first."""
    page.locator(f".ag-row {NAME}").nth(at).click()
    expect(page.get_by_text("About this run")).to_be_visible()


def test_the_first_page_is_the_table_of_training_runs_with_what_tells_them_apart(page: Page) -> None:
    expect(page.locator(ROW)).to_have_count(len(RATES))
    expect(page).to_have_url(re.compile("#/experiments/[0-9]+/runs"))
    names = [column.split("`")[1] for column in COLUMNS]
    heads = page.locator(".ag-header-cell")
    for name in names[:4]:
        expect(heads.filter(has_text=name)).to_have_count(1)
    expect(page.get_by_text("Ask questions about your")).to_have_count(0)
    expect(page.get_by_text("shared view")).to_have_count(0)


def test_a_run_says_what_it_was_and_which_data_it_saw(page: Page) -> None:
    open_run(page)
    expect(page.get_by_text("bits per byte")).to_be_visible()
    expect(page.get_by_text("Finished")).to_be_visible()
    expect(page.get_by_text(re.compile("^files/train")).first).to_be_visible()
    expect(page.get_by_text(re.compile("Training", re.IGNORECASE)).last).to_be_visible()


def test_no_heading_of_the_table_is_cut_off(page: Page) -> None:
    expect(page.locator(ROW)).to_have_count(len(RATES))
    heads = page.locator(".ag-header-cell")
    expect(heads.filter(has_text="train/best_validation_loss")).to_be_visible()
    assert heads.evaluate_all(CUT_OFF) == []
    heads.evaluate_all("heads => heads.forEach(head => head.style.width = '60px')")
    assert "evaluate/perplexity" in heads.evaluate_all(CUT_OFF), "this test cannot fail"


def test_the_charts_of_a_run_begin_with_its_curves(page: Page) -> None:
    open_run(page)
    page.get_by_role("tab", name="Model metrics").click()
    expect(page.locator(PLOT)).to_have_count(len(CURVES))
    for plot in page.locator(PLOT).all():
        line = plot.locator(LINE).first
        assert len(re.findall("[LMHV,C]", line.get_attribute("d") or "")) > 5
    expect(page.locator(BAR)).to_have_count(0)
    expect(page.get_by_text("train/gradient_norm", exact=True)).to_be_visible()
    page.get_by_text("evaluate/references", exact=False).first.click()
    expect(page.locator(BAR).first).to_be_visible()


def test_a_run_shows_its_report_and_its_pictures(page: Page) -> None:
    open_run(page)
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("report", exact=True).click()
    page.get_by_text("index.html", exact=True).click()
    report = page.frame_locator("iframe").first
    expect(report.locator("h1")).to_be_visible()
    shown = report.locator("img, svg").first
    expect(shown).to_be_visible()
    assert shown.evaluate("each => each.getBoundingClientRect().width") > 100


def test_two_runs_are_compared(page: Page) -> None:
    boxes = page.locator(".ag-row .ag-checkbox-input")
    expect(boxes).to_have_count(len(RATES))
    for box in boxes.all():
        box.click()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("Comparing 2 Runs")).to_be_visible()
    for rate in RATES.values():
        expect(page.get_by_role("cell", name=str(rate), exact=True).first).to_be_visible()


def test_the_charts_of_several_runs_are_curves_results_and_what_differs(page: Page, address: str) -> None:
    expect(page.locator(ROW)).to_have_count(len(RATES))
    page.goto(page.url + "&compareRunsMode=CHART")
    page.set_viewport_size({"width": 1400, "height": 2200})
    expect(page.locator(PLOT)).to_have_count(len(CURVES))
    colours = "lines => new Set(lines.map(line => getComputedStyle(line).stroke)).size"
    for plot in page.locator(PLOT).all():
        for _ in range(PATIENCE):
            # a curve is drawn when the server has answered for its run
            if (found := plot.locator(LINE).evaluate_all(colours)) == len(RATES):
                break
            page.wait_for_timeout(200)
        assert found == len(RATES)
    expect(page.locator(BAR)).to_have_count(len(QUALITY) * len(RATES))
    expect(page.get_by_text("train.learning_rate", exact=True)).to_be_visible()
    expect(page.get_by_text("train.steps", exact=True)).to_have_count(0)


def test_a_choice_of_the_reader_stands(page: Page, address: str) -> None:
    expect(page.locator(ROW)).to_have_count(len(RATES))
    page.evaluate("localStorage.setItem('mlflow.workflowType_v1', '\"genai\"')")
    page.goto(f"{address}/?again")
    expect(page.get_by_text("Model training")).to_be_visible()
    assert page.evaluate("localStorage.getItem('mlflow.workflowType_v1')") == '"genai"'
