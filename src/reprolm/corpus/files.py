"""The source `files`: own text, its bytes as they are (no translation of line breaks, no normalisation)."""

import glob
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from reprolm.corpus.config import FilesConfig
from reprolm.corpus.formats import documents
from reprolm.corpus.text import Text
from reprolm.errors import Exit, refuse, shown

PARAMETER = "data.files.path"


class Files:
    """A file, or the files of a folder that the glob matches, in the order of their paths."""

    def __init__(self, config: FilesConfig, *, strict: bool) -> None:
        self._config, self._strict = config, strict
        self.facts: dict[str, str | int] = {"files": 0}
        self.file = ""

    def __iter__(self) -> Iterator[Text]:
        options, separators = self._config, []
        for path in found(options):
            self.file = str(path)
            self.facts["files"] = int(self.facts["files"]) + 1
            count = yield from documents(path, options.separator, options.field, strict=self._strict)
            separators += [count] if count is not None else []
        if options.separator and separators and not any(separators):
            what = f"a file is a document ({len(separators)} in all)"
            said = f"data.files.separator {shown(repr(options.separator))} is found nowhere: {what}"
            print(f"download: {said}", file=sys.stderr)


def found(config: FilesConfig, base: Path = Path()) -> list[Path]:
    """The files to read; a relative path is one of `base`.

    Raises:
        ReprolmError: nothing is there (exit 66), the glob matches nothing or a lone file is empty (exit 65).
    """
    path = base / config.path
    if path.is_dir():
        # not `Path.glob`, whose `**` has changed between Python versions
        names = glob.glob(config.glob, root_dir=path, recursive=True)  # noqa: PTH207
        files = sorted(path / name for name in names if (path / name).is_file())
        if not files:
            raise refuse(
                PARAMETER, "no file matches data.files.glob", got=config.glob, want=f"a text in {config.path}"
            )
        return files
    if not path.is_file():
        pattern = "; patterns go into data.files.glob" if glob.has_magic(config.path) else ""
        want = f"a file or folder{pattern}"
        raise refuse(PARAMETER, "is not there", got=config.path, want=want, exit=Exit.MISSING)
    if path.stat().st_size == 0:
        raise refuse(PARAMETER, "is empty", got=config.path, want="a text")
    return [path]


def bring(config: FilesConfig, here: Path, root: Path) -> list[Path]:
    """Copies into the workspace `here` what it lacks of the own text in the repository `root`; the copies.

    DVC runs queued and temporary experiments in a copy that holds only what git tracks.

    Raises:
        ReprolmError: as `found`; or a relative path leads out of the repository (exit 2).
    """
    if Path(config.path).is_absolute() or here.resolve() == root.resolve():
        found(config, here)
        return []
    brought = []
    for source in found(config, root):
        inside = Path(os.path.normpath(source)).relative_to(root) if _inside(source, root) else None
        if inside is None:
            want = f"for a queued or temporary experiment, an absolute path: {source.resolve()}"
            what = "leads out of the repository"
            raise refuse(PARAMETER, what, got=config.path, want=want, exit=Exit.PARAMETERS)
        if not (here / inside).exists():
            (here / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, here / inside)
            brought.append(here / inside)
    return brought


def _inside(path: Path, root: Path) -> bool:
    return Path(os.path.normpath(path)).is_relative_to(root)
