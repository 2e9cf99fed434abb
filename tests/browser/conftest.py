"""The pages of a repository with three runs, in Chromium."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.pipeline import workspace
from tests.pipeline.workspace import Workspace
from tests.serving import served

RATES = {"high": 0.03, "middle": 0.01}
PATIENCE_MILLISECONDS = 60_000


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A repository in which the pipeline ran once for each learning rate."""
    made = workspace.new(tmp_path_factory.mktemp("browser") / "repository")
    for rate in RATES.values():
        made.edit({"train.learning_rate": rate})
        made.run("dvc", "repro")
    made.run("reprolm", "sync")
    return made


@pytest.fixture(scope="session")
def address(work: Workspace) -> Iterator[str]:
    """Where `reprolm ui` shows them."""
    with served(["reprolm", "ui"], "/health", work.path, work.environment()) as found:
        yield found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, for all tests."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.fail("Chromium is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        # as root, in a container, its sandbox cannot start; it opens nothing but our own pages
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


def keep_screenshot(page: Page, suffix: str = "") -> None:
    """Where the environment names a folder, a picture of what the test sees."""
    if folder := os.environ.get("REPROLM_SCREENSHOTS"):
        name = os.environ["PYTEST_CURRENT_TEST"].split("::")[-1].split(" ")[0]
        page.screenshot(path=Path(folder) / f"{name}{suffix}.png", full_page=bool(suffix))


@pytest.fixture
def page(address: str, browser: Browser) -> Iterator[Page]:
    """A browser that was never here before, on the address that `reprolm ui` says."""
    with browser.new_context(viewport={"width": 1400, "height": 900}) as context:
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        opened = context.new_page()
        opened.goto(address)
        yield opened
        keep_screenshot(opened)
