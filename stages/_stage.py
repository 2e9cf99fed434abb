"""What each stage script imports first: the code of its own tree; one clear line where something lacks."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

# an editable install names the original tree; a queued experiment must run the code that it was queued with
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
# OpenMP reads it once: with it, the number of threads would follow the machine's load, and sums would change
os.environ["OMP_DYNAMIC"] = "false"
# how long a thread that has nothing to do keeps its core from those that have: a tenth of a step where it is
# as long as OpenMP's own (benchmarks/results/threads.md)
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
# glibc reads it when a process starts: its cache of small pieces keeps freed blocks from being joined, so
# that the memory of a run grows by a third, each time by another amount
ALLOCATOR = "GLIBC_TUNABLES"
if Path(sys.argv[0]).resolve().parent == Path(__file__).resolve().parent and ALLOCATOR not in os.environ:
    os.environ[ALLOCATOR] = "glibc.malloc.tcache_count=0"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def refuse(what: str) -> NoReturn:
    want = "the project's environment: source .venv/bin/activate"
    print(f"reprolm: error: {sys.executable}: {what} (want {want})", file=sys.stderr)
    raise SystemExit(66)


if sys.version_info < (3, 11):  # noqa: UP036 - whatever `python` means in the shell that DVC was started from
    refuse("is older than Python 3.11")
try:
    from reprolm.tracking import stage
except ModuleNotFoundError as error:
    refuse(f"lacks {error.name}")

RESTORE = "git checkout dvc.lock metrics plots && dvc checkout"


def run(name: str, main: Callable[[stage.Stage], None]) -> int:
    """Runs the stage `name`, returns its exit code; if it failed, says how to get back what DVC removed."""
    code = stage.run(name, main)
    if 0 < code < 128 and name != "check" and "DVC_STAGE" in os.environ:
        print(f"reprolm: what {name} made before it failed comes back with: {RESTORE}", file=sys.stderr)
    return code
