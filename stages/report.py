"""Stage `report`: one page for the run, and the end of the run in MLflow."""

from pathlib import Path

import _stage
from reprolm.params import acting
from reprolm.report.page import write
from reprolm.tracking.stage import Stage

PAGE = Path("reports/index.html")


def main(stage: Stage) -> None:
    write(acting(stage.params()), Path(), PAGE)
    stage.artifact(PAGE, "report")


if __name__ == "__main__":
    raise SystemExit(_stage.run("report", main))
