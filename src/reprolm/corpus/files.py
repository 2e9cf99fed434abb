"""The source `files`: own text, its bytes as they are (no translation of line breaks, no normalisation)."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from reprolm.corpus.config import FilesConfig
from reprolm.corpus.text import Text, check_utf8, divided, mapped
from reprolm.errors import Exit, refuse

PARAMETER = "data.files.path"


class Files:
    """A file, or the files of a folder that the glob matches, in the order of their paths."""

    def __init__(self, config: FilesConfig) -> None:
        self._config = config
        self.facts: dict[str, str | int] = {"files": 0}

    def __iter__(self) -> Iterator[Text]:
        for path in found(self._config):
            content = mapped(path)
            check_utf8(content, str(path))
            self.facts["files"] = int(self.facts["files"]) + 1
            yield from divided(content, self._config.separator)


def found(config: FilesConfig) -> list[Path]:
    """The files to read. A relative path is one of the working directory or, failing that, of `DVC_ROOT`.

    DVC runs experiments in copies that hold only what git tracks; `DVC_ROOT` is the original repository.

    Raises:
        ReprolmError: nothing is there (exit 66), the glob matches nothing or a lone file is empty (exit 65).
    """
    path = Path(config.path)
    if not path.exists():
        path = Path(os.environ.get("DVC_ROOT", ".")) / path
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
        raise refuse(PARAMETER, "is not there", got=config.path, want="a file or folder", exit=Exit.MISSING)
    if path.stat().st_size == 0:
        raise refuse(PARAMETER, "is empty", got=config.path, want="a text")
    return [path]
