"""The source `docstrings`: documentation that is installed anyway, so that the default needs no network.

The text is the same on every machine with the same packages: source files are parsed, never imported; files
that a build writes are left out; and dedenting is ours, because that of the standard library has changed.
"""

import ast
import importlib.metadata
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePath

from reprolm.corpus.config import DocstringsConfig
from reprolm.corpus.text import Text
from reprolm.errors import Exit, refuse
from reprolm.progress import Progress

SHORTEST_BYTES = 200
OLDEST_PYTHON = (3, 11)
"""Syntax is that of the oldest Python that runs us: a newer one must not see more text."""
BUILT = {
    "version.py",
    "_version.py",
    "__version__.py",
    "__config__.py",
    "_distributor_init.py",
    "conftest.py",
}
APART = {"test", "tests", "distutils", ".."}
"""Folders left out: tests, and what NumPy installs for Python 3.11 alone."""
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Docstrings:
    """One document a module: its docstrings in source order, with a blank line between them."""

    file = ""

    def __init__(self, config: DocstringsConfig) -> None:
        self._packages = sorted(config.packages.items())
        self.facts: dict[str, str | int] = {"modules": 0, "unparsed_modules": 0}

    def __iter__(self) -> Iterator[Text]:
        modules = [module for name, version in self._packages for module in modules_of(name, version)]
        with Progress("download", len(modules), "modules") as progress:
            for module in modules:
                progress.advance()
                try:
                    text = documentation(Path(module.locate()).read_bytes())
                except SyntaxError:
                    self.facts["unparsed_modules"] = int(self.facts["unparsed_modules"]) + 1
                    continue
                if len(text) >= SHORTEST_BYTES:
                    self.facts["modules"] = int(self.facts["modules"]) + 1
                    yield text


def modules_of(name: str, version: str) -> list[importlib.metadata.PackagePath]:
    """The source files of an installed package that people wrote, tests apart, sorted.

    Raises:
        ReprolmError: it is not installed in that version (exit 2) or has no list of files (exit 66).
    """
    where = f"data.docstrings.packages.{name}"
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise refuse(
            where, "is not installed", want=f"{version}: install requirements.lock", exit=Exit.PARAMETERS
        ) from error
    if distribution.version != version:
        raise refuse(
            where,
            "another version is installed",
            got=distribution.version,
            want=f"{version}: install requirements.lock, or set this parameter to what is installed",
            exit=Exit.PARAMETERS,
        )
    if not distribution.files:
        raise refuse(where, "its installation has no list of files", exit=Exit.MISSING)
    return sorted((file for file in distribution.files if _written(file)), key=PurePath.as_posix)


def _written(file: PurePath) -> bool:
    folders = set(file.parts[:-1])
    return file.suffix == ".py" and file.name not in BUILT and not folders & APART


def documentation(source: bytes) -> bytes:
    """The docstrings of a module's source, in source order.

    Raises:
        SyntaxError: it is not Python as the oldest supported version knows it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source, feature_version=OLDEST_PYTHON)
        except ValueError as error:
            raise SyntaxError(str(error)) from error
    found = []
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED):
            text = dedented(ast.get_docstring(node, clean=False) or "")
            if text:
                found.append((node.body[0].lineno, text))
    texts = [text + "\n" for _, text in sorted(found)]
    # a docstring may hold a lone surrogate, which UTF-8 cannot
    return "\n".join(texts).encode("utf-8", "replace")


def dedented(text: str) -> str:
    r"""A docstring without the indentation of its code and blank lines around it (PEP 257).

    >>> dedented("Sum.\n\n    Adds:\n        all.\n    ")
    'Sum.\n\nAdds:\n    all.'
    """
    first, *rest = (line.rstrip() for line in text.expandtabs().split("\n"))
    margin = min((len(line) - len(line.lstrip(" ")) for line in rest if line), default=0)
    return "\n".join([first.lstrip(" "), *(line[margin:] for line in rest)]).strip("\n")
