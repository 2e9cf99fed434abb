"""`reprolm verify --deep`: reads every byte that DVC believes unread.

DVC takes a file for unchanged while time, size and inode are those that it noted, and an object of its cache
for whole while nobody may write to it. A disk that loses bits changes none of these.
"""

import hashlib
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from reprolm.errors import Exit, Problem, ReprolmError, refuse
from reprolm.journal import census
from reprolm.lineage.claims import Claim, of_cache, of_lock, of_manifests
from reprolm.lineage.content import dvc_digest
from reprolm.progress import Progress
from reprolm.store import CHUNK_BYTES
from reprolm.tracking.location import executions
from reprolm.tracking.pipeline import LOCK, stages_of
from reprolm.tracking.record import JOURNAL

DIGITS = 12
SEEN = ("modified", "deleted", "new")
"""The words of `dvc status` for what DVC knows to be other than its lock says."""


def _dvc(root: Path, *words: str) -> str:
    command = [sys.executable, "-P", "-m", "dvc", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        raise refuse(f"dvc {words[0]}", "failed", got=said, exit=Exit.MISSING)
    return done.stdout


def cache_of(root: Path) -> Path:
    """Where DVC's cache lies."""
    return Path(_dvc(root, "cache", "dir").strip())


def seen_by_dvc(root: Path) -> set[str]:
    """The paths of which DVC itself says that they are not what its lock has."""
    paths: set[str] = set()
    for changes in json.loads(_dvc(root, "status", "--json") or "{}").values():
        for change in changes if isinstance(changes, list) else []:
            for kind in ("changed deps", "changed outs") if isinstance(change, dict) else ():
                paths |= {path for path, word in change.get(kind, {}).items() if word in SEEN}
    return paths


def _digest(path: Path, algorithm: str, advance: Callable[[int], None]) -> str:
    """The digest of a file, or of a whole directory as DVC computes it."""
    if path.is_dir():
        return dvc_digest(path) or ""
    if not path.is_file():
        return "not there"
    total = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            total.update(chunk)
            advance(len(chunk))
    return total.hexdigest()


def refuted(claims: Iterable[Claim]) -> list[tuple[Claim, str]]:
    """The claims that are not true, each with the digest that was found; each file is read once a digest."""
    by_file: dict[tuple[Path, str], list[Claim]] = defaultdict(list)
    for claim in claims:
        by_file[claim.path, claim.algorithm].append(claim)
    wrong = []
    with Progress("verify", sum(group[0].bytes for group in by_file.values()), "B") as progress:
        for (path, algorithm), group in by_file.items():
            found = _digest(path, algorithm, progress.advance)
            wrong += [(claim, found) for claim in group if claim.wanted != found]
    return wrong


def damaged_journals(root: Path) -> list[Problem]:
    """Journals of which whole lines are no records; a last line that is torn is cut off by itself."""
    found = []
    for path in sorted(executions(root).glob(f"*/{JOURNAL}")):
        whole, damaged = census(path)
        if damaged:
            want = f"whole ones: these are passed over; rm -r {path.parent}"
            found.append(Problem(str(path), f"{damaged:,} of {whole + damaged:,} records damaged", want=want))
    return found


def verify(root: Path) -> None:
    """Rehashes cache, outputs, dependencies, published directories and journals of a repository.

    Raises:
        ReprolmError: one line for each file that is wrong: found, wanted, what to type (exit 76).
    """
    lock = root / LOCK
    stages = stages_of(lock.read_bytes()) if lock.is_file() else {}
    if lock.is_file() and not stages:
        raise refuse(str(lock), "is not a lock", want=f"git checkout {LOCK}", exit=Exit.INTEGRITY)
    cache, seen = cache_of(root), seen_by_dvc(root)
    claims = [*of_cache(cache), *of_lock(stages, root, cache), *of_manifests(root)]
    wrong = refuted(claims)
    known = {claim.output for claim, _ in wrong} & seen
    problems = [_problem(root, *each) for each in wrong if each[0].output not in known]
    problems += damaged_journals(root)
    for path in sorted(known):
        print(f"verify: {path} is not what {LOCK} has, and DVC knows: dvc status")
    files = len({claim.path for claim in claims})
    print(f"verify: {files:,} files, {sum(claim.bytes for claim in claims):,} bytes, {len(problems)} wrong")
    if problems:
        raise ReprolmError(problems, Exit.INTEGRITY)


def _problem(root: Path, claim: Claim, found: str) -> Problem:
    path = claim.path.relative_to(root) if claim.path.is_relative_to(root) else claim.path
    want = f"{claim.wanted[:DIGITS]} by {claim.by}"
    remedy = claim.remedy.replace(f"{root}/", "")
    return Problem(str(path), "has other bytes", found[:DIGITS], f"{want}; type: {remedy}")
