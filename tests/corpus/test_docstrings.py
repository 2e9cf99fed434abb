import importlib.metadata
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprolm.corpus.config import DocstringsConfig
from reprolm.corpus.docstrings import SHORTEST_BYTES, Docstrings, dedented, documentation, modules_of
from reprolm.errors import Exit, ReprolmError

SOURCE = '''"""Of the module."""
x = "no docstring"
class A:
    r"""Of the class, with \\d.

        Deeper.
    Back.
    """
    def f(self):
        """Of f."""
        def g(): "Of g."
    if x:
        async def h(self):
            """Of h."""
def last(): f"""not {x}"""
'''


def test_docstrings_come_in_source_order_without_indentation() -> None:
    expected = "Of the module.\n\nOf the class, with \\d.\n\n    Deeper.\nBack.\n\nOf f.\n\nOf g.\n\nOf h.\n"
    assert documentation(SOURCE.encode()).decode() == expected


@pytest.mark.parametrize("source", [b"def f(:", b"type X = int", b"a = '\0'", b"\xff"])
def test_what_the_oldest_python_cannot_read_is_no_module(source: bytes) -> None:
    with pytest.raises(SyntaxError):
        documentation(source)


def test_a_lone_surrogate_becomes_text_that_utf8_has() -> None:
    assert documentation(rb'"a\ud800b"') == b"a?b\n"


@given(st.lists(st.text("ab  ", max_size=6), max_size=6))
def test_dedenting_agrees_with_the_standard_library(lines: list[str]) -> None:
    text = "\n".join(["First.", *lines])
    # cleandoc keeps trailing spaces, and counts them where a line has nothing else
    expected = [line.rstrip() for line in inspect.cleandoc(text).split("\n")]
    if all(line.strip() or not line for line in lines):
        assert dedented(text).split("\n") == "\n".join(expected).strip("\n").split("\n")
    assert dedented(dedented(text)) == dedented(text)


def test_generated_files_and_tests_are_left_out() -> None:
    names = {path.as_posix() for path in modules_of("numpy", importlib.metadata.version("numpy"))}
    assert "numpy/linalg/_linalg.py" in names
    left_out = (
        "numpy/version.py",
        "numpy/__config__.py",
        "numpy/conftest.py",
        "numpy/linalg/tests/test_linalg.py",
    )
    assert not names & set(left_out)


def test_what_numpy_installs_for_one_version_of_python_alone_is_left_out() -> None:
    files = [file.as_posix() for file in modules_of("numpy", importlib.metadata.version("numpy"))]
    assert files
    assert not [file for file in files if "/distutils/" in file]


def test_another_version_is_refused_with_both_and_the_parameter() -> None:
    with pytest.raises(ReprolmError, match=r"^data\.docstrings\.packages\.tqdm") as error:
        modules_of("tqdm", "0.0.1")
    assert error.value.exit is Exit.PARAMETERS
    assert importlib.metadata.version("tqdm") in str(error.value)
    assert "0.0.1" in str(error.value)


def test_a_package_that_is_not_installed_is_refused() -> None:
    with pytest.raises(ReprolmError, match="is not installed") as error:
        modules_of("no-such-package-at-all", "1")
    assert error.value.exit is Exit.PARAMETERS


def test_a_module_is_a_document_and_short_ones_are_left_out() -> None:
    packages = {"tqdm": importlib.metadata.version("tqdm")}
    source = Docstrings(DocstringsConfig(packages=packages))
    documents = [bytes(document) for document in source]
    assert source.facts == {"modules": len(documents), "unparsed_modules": 0}
    assert len(documents) > 5
    assert min(map(len, documents)) >= SHORTEST_BYTES
    assert any(b"progress" in document for document in documents)
    assert [bytes(d) for d in Docstrings(DocstringsConfig(packages=packages))] == documents
