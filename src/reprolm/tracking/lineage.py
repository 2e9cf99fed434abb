"""What a run was made from, as tags: commit and uncommitted changes, digests, versions, machine."""

import hashlib
import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from reprolm.store import digest, file_sha256
from reprolm.tracking import git
from reprolm.tracking.pipeline import CLOSING, PIPELINE, STAGES, stages_of

FILES = {
    "params.yaml": "digest.params.yaml",
    "requirements.lock": "digest.requirements.lock",
    "dvc.lock": "digest.dvc.lock.before",  # when a run begins it is that of the run before
}
NUMERIC = ("python", "torch", "numpy", "tokenizers", "safetensors", "ftfy", "regex")
"""What changes bits by its version: Python, and what numerics.lock pins."""
PACKAGES = (*NUMERIC[1:], "dvc", "mlflow")
# what the pipeline itself writes into tracked files is no change of its source
WRITTEN = ("dvc.lock", "metrics", "plots")
# new files that git does not know yet belong to the source only where code lies
CODE = ("src", "stages")
COMPUTING = [name for name in STAGES if name != CLOSING]
MOST_NEW_FILES = 100
MOST_PATCH_BYTES = 10_000_000
LEFT_OUT = "git.dirty_left_out"
"""The tag that tells why the uncommitted changes of a run are not kept, or not all of them."""


def _word(*words: str) -> str:
    return git.said(*words).decode(errors="replace").strip()


def uncommitted() -> tuple[bytes, str]:
    """The changes that no commit has, as a patch that `git apply` takes, and what is left out of it.

    New files of the code are in it, the first hundred of them.
    """
    patch = git.diff(*git.PATCH, "HEAD", "--", ".", *(f":(exclude){name}" for name in WRITTEN))
    new = git.said("ls-files", "--others", "--exclude-standard", "-z", "--", *CODE).decode(
        errors="surrogateescape"
    )
    names = sorted(filter(None, new.split("\0")))
    for name in names[:MOST_NEW_FILES]:
        patch += git.said(*git.PATCH, "--no-index", "--", os.devnull, name)
    many = len(names) > MOST_NEW_FILES
    return patch, f"{len(names) - MOST_NEW_FILES} of {len(names)} new files" if many else ""


def _computing() -> list[str]:
    """The code on which computing stages depend, by dvc.yaml; all code where it does not tell.

    Not numerics.lock, on which they depend too: a run is told apart by the versions that were there.
    """
    try:
        stages = stages_of(PIPELINE.read_bytes())
        deps = [dep for name in COMPUTING for dep in stages[name]["deps"] if str(dep).startswith(CODE)]
    except (OSError, KeyError, TypeError):
        return list(CODE)
    return deps or list(CODE)


def code() -> str:
    """The sha256 of the code that computes, as it lies here, committed or not; "" without git.

    Commits may differ in results and documents alone, and the changes that no commit has hold parameters.
    """
    listed = git.said("ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *_computing())
    names = sorted({os.fsdecode(name) for name in listed.split(b"\0") if name})
    found = {ascii(name): file_sha256(Path(name)) for name in names if Path(name).is_file()}
    return digest(found) if found else ""


def _processor() -> str:
    """The name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {"version.python": platform.python_version()}
    for package in packages:
        try:
            found[f"version.{package}"] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def lineage_of_machine() -> dict[str, str]:
    """The tags of versions and machine."""
    return {
        **_versions(PACKAGES),
        "machine.platform": platform.platform(),
        "machine.processor": _processor(),
        "machine.cores": str(os.cpu_count()),
    }


def lineage() -> tuple[dict[str, str], bytes]:
    """The tags of the working directory, and its uncommitted changes. Nothing heavy is imported."""
    patch, left_out = uncommitted()
    if len(patch) > MOST_PATCH_BYTES:
        left_out = f"all: {len(patch):,} bytes, and {MOST_PATCH_BYTES:,} are kept"
    tags = {
        "git.commit": _word("rev-parse", "--verify", "--quiet", "HEAD"),
        "git.branch": _word("symbolic-ref", "--quiet", "--short", "HEAD"),
        "git.dirty_sha256": hashlib.sha256(patch).hexdigest() if patch else "",
        LEFT_OUT: left_out,
        "digest.code": code(),
        **{tag: file_sha256(Path(name)) for name, tag in FILES.items() if Path(name).is_file()},
        **lineage_of_machine(),
    }
    kept = patch if len(patch) <= MOST_PATCH_BYTES else b""
    return {key: value for key, value in tags.items() if value}, kept
