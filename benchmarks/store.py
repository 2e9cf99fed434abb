"""How quick MLflow's pages are with 200 runs in the store: each request that they make, and until they show.

Run in the repository: `python benchmarks/store.py [runs]`. Needs Chromium.
"""

import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
import urllib.request
from contextlib import AbstractContextManager
from pathlib import Path

from playwright.sync_api import Browser, Page, Request, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
ROUNDS = 15
POINTS = 2000
TABLES = ("runs", "metrics", "latest_metrics", "params", "tags")
ROW = ".ag-row a[href*='/runs/']"
LINE = ".js-plotly-plot .scatterlayer path.js-line"


def one_run(root: Path) -> str:
    """A run as the default pipeline leaves it, with curves of the most points; its id."""
    from mlflow.entities import Metric, Param, RunTag

    from reprolm.config import read_params
    from reprolm.params import acting
    from reprolm.tracking.charts import CURVES
    from reprolm.tracking.destination import connect
    from reprolm.tracking.lineage import lineage
    from reprolm.tracking.pipeline import STAGES
    from reprolm.tracking.shown import SCALARS

    to, at = connect(root), 1_790_000_000_000
    client, run = to.client, to.client.create_run(to.experiment, at).info.run_id
    params = [Param(name, str(value)) for name, value in acting(read_params(ROOT / "params.yaml")).items()]
    for start in range(0, len(params), 100):
        client.log_batch(run, params=params[start : start + 100])
    stages = {f"stage.{name}": "ran" for name in STAGES} | {
        f"stage.{name}.digest": "d" * 64 for name in STAGES
    }
    tags = (
        lineage()[0] | stages | {"mlflow.note.content": "words " * 50, "changed": "train.learning_rate=0.1"}
    )
    client.log_batch(run, tags=[RunTag(*item) for item in tags.items()])
    client.log_batch(run, metrics=[Metric(name, 1.5, at, 0) for name in SCALARS])
    for curve in CURVES:
        series = [Metric(curve, 3 / step, at + step, step) for step in range(1, POINTS + 1)]
        for start in range(0, POINTS, 1000):
            client.log_batch(run, metrics=series[start : start + 1000])
    client.set_terminated(run, "FINISHED", at + 100_000)
    return str(run)


def multiply(path: Path, run: str, count: int) -> None:
    """Copies a run in the tables themselves: MLflow would take minutes for millions of points."""
    with sqlite3.connect(path) as base:
        for table in TABLES:
            columns = [row[1] for row in base.execute(f"pragma table_info({table})") if row[1] != "run_uuid"]
            words = ", ".join(columns)
            changed = words.replace("start_time", "start_time + ?2 * 60000")
            for number in range(1, count):
                values = (f"{number:032x}", number, run)
                base.execute(
                    f"insert into {table} (run_uuid, {words}) select ?1, {changed} from {table} "
                    "where run_uuid = ?3 and ?2 > 0", values,
                )  # fmt: skip
        base.commit()


def pages(root: Path) -> AbstractContextManager[str]:
    """`reprolm ui` on a store; its address."""
    from tests.serving import served

    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    command = [sys.executable, "-m", "reprolm", "ui"]
    return served(command, "/health", root, kept | {"PYTHONPATH": str(ROOT / "src")})


class Visit:
    """Pages that are opened one after the other: how long each takes, and what each asks."""

    def __init__(self, page: Page) -> None:
        self._page, self._asked = page, list[Request]()
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        self._asked.append(request)

    def shown(self, selector: str, act: str, target: str) -> tuple[float, list[Request]]:
        """Goes to an address, or clicks, and waits for something; seconds, and the requests for data."""
        self._asked.clear()
        began = time.perf_counter()
        self._page.goto(target) if act == "go" else self._page.locator(target).first.click()
        self._page.locator(selector).first.wait_for(timeout=120_000)
        seconds = time.perf_counter() - began
        self._page.wait_for_timeout(3000)
        return seconds, [each for each in self._asked if "ajax-api" in each.url or "graphql" in each.url]


def visited(browser: Browser, address: str) -> dict[str, tuple[float, list[Request]]]:
    """Every page once, in a browser that was never here, and the table again."""
    visit = Visit(browser.new_context(viewport={"width": 1400, "height": 900}).new_page())
    found = {"table of runs, first visit": visit.shown(ROW, "go", address)}
    charts = f"{address}/#/experiments/1/runs?compareRunsMode=CHART"
    found["charts of the first ten runs"] = visit.shown(LINE, "go", charts)
    found["table of runs, again"] = visit.shown(ROW, "go", f"{address}/?again")
    found["a run"] = visit.shown("text=About this run", "click", ROW)
    found["its curves"] = visit.shown(LINE, "click", "role=tab[name='Model metrics']")
    return found


def milliseconds(request: Request) -> float:
    """The median time of a request that is made again, in milliseconds."""
    body = request.post_data
    headers = {"Content-Type": "application/json"} if body else {}
    times = []
    for _ in range(ROUNDS):
        again = urllib.request.Request(request.url, body.encode() if body else None, headers)
        began = time.perf_counter()
        try:
            with urllib.request.urlopen(again, timeout=60) as answer:
                answer.read()
        except urllib.error.HTTPError:
            return float("nan")
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def name(request: Request) -> str:
    """What a request asks for, in few letters."""
    path = request.url.split("?")[0].split("/mlflow/")[-1].rsplit("/graphql", 1)
    operation = (request.post_data_json or {}).get("operationName") if len(path) > 1 else None
    runs = request.url.count("run_ids=")
    return (operation or path[0]) + (f", {runs} runs" if runs > 1 else "")


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        (root / ".dvc").mkdir()
        multiply(root / "mlflow.db", one_run(root), count)
        size = (root / "mlflow.db").stat().st_size / 1e6
        print(f"{count} runs, {size:,.0f} MB\n")
        with pages(root) as address, sync_playwright() as playwright:
            chromium = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            visits = [visited(browser, address) for _ in range(3)]
            print("| page | until it shows, s, median of 3 | longest |\n|---|---|---|")
            for page in visits[0]:
                seconds = [visit[page][0] for visit in visits]
                print(f"| {page} | {statistics.median(seconds):.2f} | {max(seconds):.2f} |")
            print("\n| page | request | ms |\n|---|---|---|")
            for page, (_, requests) in visits[0].items():
                distinct = {name(each): each for each in requests}
                for words, each in distinct.items():
                    print(f"| {page} | {words} | {milliseconds(each):.0f} |", flush=True)
            browser.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
