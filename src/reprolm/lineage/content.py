"""The digest by which DVC knows a file or a directory."""

import hashlib
import json
from pathlib import Path

DIRECTORY = ".dir"
COMPILED = "__pycache__"


def md5(path: Path) -> str:
    """The md5 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def listing(files: dict[str, str]) -> bytes:
    """What DVC keeps for a directory: the md5 of each file, by its path.

    >>> listing({"b": "2", "a": "1"})
    b'[{"md5": "1", "relpath": "a"}, {"md5": "2", "relpath": "b"}]'
    """
    entries = [{"md5": digest, "relpath": name} for name, digest in sorted(files.items(), key=_parts)]
    return json.dumps(entries, sort_keys=True).encode()


def _parts(item: tuple[str, str]) -> tuple[str, ...]:
    return tuple(item[0].split("/"))


def dvc_digest(path: Path) -> str | None:
    """The md5 that dvc.lock has for a path; for a directory that of its listing. None: it is not there."""
    if path.is_file():
        return md5(path)
    if not path.is_dir():
        return None
    # what .dvcignore names is no part of it: a package that Python compiled is the same package
    found = (each for each in path.rglob("*") if each.is_file() and COMPILED not in each.parts)
    files = {each.relative_to(path).as_posix(): md5(each) for each in found}
    return hashlib.md5(listing(files), usedforsecurity=False).hexdigest() + DIRECTORY
