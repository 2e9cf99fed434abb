"""What is said about the bytes of files: by DVC's cache, by dvc.lock, by our manifests."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprolm.errors import ReprolmError
from reprolm.lineage.content import DIRECTORY
from reprolm.store import MANIFEST, manifest
from reprolm.tracking.location import PRIVATE, checkpoints

PUBLISHED = ("data", "models", "reports")
MD5, SHA256 = "md5", "sha256"


@dataclass(frozen=True)
class Claim:
    """That the bytes of `path` have a digest (none: that the file can be read); who says so, for whom."""

    path: Path
    algorithm: str
    wanted: str
    by: str
    output: str = ""
    remedy: str = ""

    @property
    def bytes(self) -> int:
        """How many bytes there are to be read."""
        return self.path.stat().st_size if self.path.is_file() else 0


def of_cache(cache: Path) -> Iterator[Claim]:
    """Each object of DVC's cache bears its md5 as its name."""
    for path in sorted((cache / "files" / MD5).glob("??/*")):
        name = path.parent.name + path.name.removesuffix(DIRECTORY)
        if path.is_file() and len(name) == 32:
            # what nobody can read again must at least not be handed out
            remedy = f"rm -f {path}, then dvc pull, or dvc commit --force where the workspace is right"
            yield Claim(path, MD5, name, "DVC's cache", remedy=remedy)


def listed(cache: Path, digest: str) -> dict[str, str] | None:
    """The files of a directory, by the listing that the cache keeps; None where it has none to be read."""
    path = cache / "files" / MD5 / digest[:2] / digest[2:]
    try:
        return {entry["relpath"]: entry[MD5] for entry in json.loads(path.read_bytes())}
    except (OSError, ValueError, TypeError, KeyError):
        return None


def of_lock(stages: Mapping[str, Any], root: Path, cache: Path) -> Iterator[Claim]:
    """Each file that dvc.lock names, as output or as dependency; outputs first."""
    outs = {out["path"]: (name, out[MD5]) for name, stage in stages.items()
            for out in stage.get("outs", []) if MD5 in out}  # fmt: skip
    for path, (stage, digest) in outs.items():
        remedy = f"rm -r {path} && dvc checkout {path}, or dvc repro --force --single-item {stage}"
        yield from _of_path(root, path, digest, cache, Claim(root, MD5, "", "dvc.lock", path, remedy))
    deps = {dep["path"]: dep[MD5] for stage in stages.values()
            for dep in stage.get("deps", []) if MD5 in dep and dep["path"] not in outs}  # fmt: skip
    for path, digest in deps.items():
        remedy = f"touch {path} && dvc repro"
        yield from _of_path(root, path, digest, cache, Claim(root, MD5, "", "dvc.lock", "", remedy))


def _of_path(root: Path, path: str, digest: str, cache: Path, like: Claim) -> Iterator[Claim]:
    def claim(at: Path, wanted: str) -> Claim:
        return Claim(at, MD5, wanted, like.by, like.output or path, like.remedy)

    if not digest.endswith(DIRECTORY):
        yield claim(root / path, digest)
        return
    files = listed(cache, digest)
    if files is None:
        # without its listing a directory has one digest for all
        yield claim(root / path, digest)
        return
    for name, wanted in files.items():
        yield claim(root / path / name, wanted)


def of_manifests(root: Path) -> Iterator[Claim]:
    """Each file that a published directory or a checkpoint lists."""
    for place in (*(root / name for name in PUBLISHED), checkpoints(root)):
        for folder, _, names in os.walk(place):
            if MANIFEST in names:
                yield from _of_manifest(Path(folder))


def _of_manifest(directory: Path) -> Iterator[Claim]:
    by = f"{directory.name}/{MANIFEST}"
    remedy = f"rm -r {directory}" + (" (an older checkpoint is taken)" if PRIVATE in directory.parts else "")
    try:
        files = manifest(directory)
    except ReprolmError:
        yield Claim(directory / MANIFEST, SHA256, "a manifest", by, remedy=remedy)
        return
    for name, entry in files.items():
        yield Claim(directory / name, SHA256, entry["sha256"], by, remedy=f"{remedy} && dvc repro")
