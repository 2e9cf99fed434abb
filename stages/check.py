"""Stage `check`: refuses bad parameters before DVC removes an output, and changes nothing downstream."""

import shutil
from pathlib import Path

import _stage
from reprolm.params import acting, own_text_in_reach
from reprolm.store import publish_file
from reprolm.tracking.stage import Stage

MARKER = Path("data/parameters.ok")


def main(stage: Stage) -> None:
    raw = stage.params()
    acting(raw)
    here = Path.cwd()
    text = own_text_in_reach(raw, here, stage.root)
    if text is not None:
        target = here / text.relative_to(stage.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(text, target) if text.is_dir() else shutil.copyfile(text, target)
    publish_file(MARKER, "The parameters are valid.\n")


if __name__ == "__main__":
    raise SystemExit(_stage.run("check", main))
