"""The page of `reprolm compare`, as a reader sees it: wide and narrow, light and dark."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from reprolm.compare.runs import AXES
from tests.browser.conftest import RATES, keep_screenshot
from tests.pipeline.workspace import Workspace

pytestmark = pytest.mark.browser
LOOKS = [(width, scheme) for width in (1280, 400) for scheme in ("light", "dark")]
TOO_WIDE = """() => [...document.querySelectorAll("body *")].filter(each => {
  const box = each.getBoundingClientRect();
  return box.width && box.right > innerWidth + 1 && !each.closest(".scroll");
}).map(each => each.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="session")
def comparison(work: Workspace) -> Path:
    """The page of all runs."""
    work.run("reprolm", "compare", *(run.info.run_id for run in work.runs()))
    return work.path / "reports" / "compare.html"


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def opened(comparison: Path, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page, from a file, in a browser of some width and colours."""
    width, scheme = request.param
    with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(comparison.as_uri())
        yield page
        keep_screenshot(page, "-whole")


def test_the_page_fits_its_window_and_says_what_differs_and_who_is_best(opened: Page) -> None:
    assert opened.evaluate(TOO_WIDE) == []
    table = opened.locator("table.compared").first
    heads = table.locator("thead th")
    expect(heads.first).to_have_text("train.learning_rate")
    expect(heads.nth(1)).to_have_text("seeds")
    expect(table.locator("tbody tr")).to_have_count(len(RATES))
    values = [float(text) for text in table.locator("tbody th .value").all_inner_texts()]
    assert values == sorted(RATES.values())
    assert table.locator("td.best").count() >= 1
    expect(opened.locator("h1")).to_contain_text("learning_rate=")


def test_the_curves_are_shown_along_what_the_reader_chooses(opened: Page) -> None:
    drawn = opened.locator(".along svg:visible")
    for axis in AXES:
        opened.locator("label", has_text=axis).click()
        expect(opened.locator(f".along-{axis}")).to_be_visible()
        expect(drawn).to_have_count(2)
        expect(opened.locator(".along:visible")).to_have_count(1)
        width = drawn.first.evaluate("each => each.getBoundingClientRect().width")
        assert width > 250
    opened.keyboard.press("ArrowLeft")
    expect(opened.locator(f".along-{AXES[-2]}")).to_be_visible()


def test_samples_stand_beside_each_other_where_there_is_room(opened: Page) -> None:
    prompt = opened.locator(".beside").first
    texts = prompt.locator(".text")
    expect(texts).to_have_count(len(RATES))
    first, second = (each.bounding_box() for each in texts.all())
    assert first is not None
    assert second is not None
    wide = (opened.viewport_size or {})["width"] > 1000
    assert (first["y"] == second["y"]) is wide
