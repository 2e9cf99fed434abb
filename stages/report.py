"""Stage `report`: one page for the run, and the end of the run in MLflow."""

from pathlib import Path

import _stage
from reprolm.params import acting
from reprolm.report.page import write
from reprolm.store import MANIFEST, directory_digest, file_sha256
from reprolm.tracking.stage import Stage
from reprolm.train import finished

PAGE, MODEL = Path("reports/index.html"), Path("models/model")


def main(stage: Stage) -> None:
    write(acting(stage.params()), Path(), PAGE)
    stage.artifact(PAGE, "report")
    stage.outputs({"page": file_sha256(PAGE)})
    if (MODEL / MANIFEST).is_file():  # DVC runs this stage only after it has recorded the model
        finished.remove(stage.checkpoints, model=directory_digest(MODEL))


if __name__ == "__main__":
    raise SystemExit(_stage.run("report", main))
