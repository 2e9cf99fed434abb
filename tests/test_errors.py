"""Errors are one line for people, a code for programs."""

import errno

import pytest

from reprolm.errors import Exit, Problem, ReprolmError, Stopped, guarded, refuse, shown


def raising(error: BaseException) -> int:
    def fail() -> None:
        raise error

    return guarded(fail)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (refuse("a", "is wrong", exit=Exit.DATA), 65),
        (Stopped(Exit.TERMINATED), 143),
        (KeyboardInterrupt(), 130),
        (MemoryError(), 71),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."), 71),
        (OSError(errno.ENOSPC, "No space left", "/x"), 74),
        (OSError(errno.EFBIG, "File too large", "/x"), 74),
        (ValueError("a fault"), 70),
    ],
)
def test_each_kind_of_end_has_its_code(error: BaseException, code: int) -> None:
    assert raising(error) == code


def test_what_can_be_mended_is_one_line_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    raising(refuse("train.steps", "is too small", got=0, want="at least 1"))
    assert capsys.readouterr().err == "reprolm: error: train.steps: is too small (got 0; want at least 1)\n"


def test_each_problem_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    raising(ReprolmError([Problem("a", "x"), Problem("b", "y")], Exit.PARAMETERS))
    assert capsys.readouterr().err == "reprolm: error: a: x\nreprolm: error: b: y\n"


def test_a_fault_of_our_own_shows_where(capsys: pytest.CaptureFixture[str]) -> None:
    raising(ValueError("a fault"))
    assert "Traceback" in capsys.readouterr().err


def test_values_are_short_and_cannot_drive_a_terminal() -> None:
    assert shown("\x1b[31mred\n") == "\\x1b[31mred\\n"
    assert len(shown("x" * 500)) == 80
