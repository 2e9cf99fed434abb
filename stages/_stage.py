"""What each stage script imports first: the code of its own tree; one clear line where something lacks."""

import os
import sys
from pathlib import Path
from typing import NoReturn

# an editable install names the original tree; a queued experiment must run the code that it was queued with
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
# OpenMP reads it once: with it, the number of threads would follow the machine's load, and sums would change
os.environ["OMP_DYNAMIC"] = "false"


def refuse(what: str) -> NoReturn:
    want = "the project's environment: source .venv/bin/activate"
    print(f"reprolm: error: {sys.executable}: {what} (want {want})", file=sys.stderr)
    raise SystemExit(66)


if sys.version_info < (3, 11):  # noqa: UP036 - whatever `python` means in the shell that DVC was started from
    refuse("is older than Python 3.11")
try:
    from reprolm.tracking.stage import run
except ModuleNotFoundError as error:
    refuse(f"lacks {error.name}")

__all__ = ["run"]
