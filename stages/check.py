"""Stage `check`: refuses bad parameters before DVC removes an output, and changes nothing downstream."""

from pathlib import Path

import _stage
from reprolm.corpus.config import DataConfig
from reprolm.params import acting
from reprolm.store import publish_file
from reprolm.tracking.stage import Stage

MARKER = Path("data/parameters.ok")


def main(stage: Stage) -> None:
    acting(stage.params())
    data = stage.section("data", DataConfig)
    if "files" in data.sources:
        from reprolm.corpus.files import bring

        bring(data.files, Path.cwd(), stage.root)
    publish_file(MARKER, "The parameters are valid.\n")


if __name__ == "__main__":
    raise SystemExit(_stage.run("check", main))
