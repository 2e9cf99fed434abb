"""Stage `check`: refuses bad parameters before DVC removes an output, and changes nothing downstream."""

import sys
from pathlib import Path

import _stage
from reprolm.corpus.config import DataConfig
from reprolm.params import acting
from reprolm.store import publish_file
from reprolm.tracking.changed import way_back
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
    code = _stage.run("check", main)
    if 0 < code < 128 and (told := way_back()):
        print(f"reprolm: {told}", file=sys.stderr)
    raise SystemExit(code)
