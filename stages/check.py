"""Stage `check`: refuses bad parameters before DVC removes an output, and changes nothing downstream."""

import sys
from pathlib import Path

import _stage
from reprolm.corpus.config import DataConfig
from reprolm.params import acting
from reprolm.store import publish_file
from reprolm.tracking.changed import kept_by_experiment
from reprolm.tracking.stage import Stage

MARKER = Path("data/parameters.ok")
# `git checkout` leaves the file as it is where DVC has written git's index within the same second
BACK = "params.yaml keeps the refused values; as it was committed: git show HEAD:./params.yaml >params.yaml"


def main(stage: Stage) -> None:
    acting(stage.params())
    data = stage.section("data", DataConfig)
    if "files" in data.sources:
        from reprolm.corpus.files import bring

        bring(data.files, Path.cwd(), stage.root)
    publish_file(MARKER, "The parameters are valid.\n")


if __name__ == "__main__":
    code = _stage.run("check", main)
    if 0 < code < 128 and kept_by_experiment():
        print(f"reprolm: {BACK}", file=sys.stderr)
    raise SystemExit(code)
