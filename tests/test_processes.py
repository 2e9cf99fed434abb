"""Work in processes: nothing is lost, nothing is left."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from reprolm import processes
from reprolm.errors import Exit, ReprolmError, refuse
from reprolm.processes import in_order


@pytest.fixture(autouse=True)
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "cores", lambda: 2)


def test_results_come_in_order_beside_their_items() -> None:
    assert list(in_order(abs, range(-60, 0))) == [(-n, n) for n in range(60, 0, -1)]
    assert list(in_order(abs, [])) == []


def test_some_items_are_on_their_way_and_never_all() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    done = [len(taken) for _ in in_order(abs, items())]
    assert all(count <= given + 2 * 2 for given, count in enumerate(done, 1))
    assert len(taken) == len(done) == 100


def refusing(path: str) -> None:
    raise refuse(path, "is bad", got=3, want="4", exit=Exit.SECURITY)


def test_an_error_is_the_same_as_without_processes() -> None:
    with pytest.raises(ReprolmError) as here:
        refusing("x")
    with pytest.raises(ReprolmError) as there:
        list(in_order(refusing, ["x"]))
    assert str(there.value) == str(here.value) == "x: is bad (got 3; want 4)"
    assert there.value.exit is Exit.SECURITY


def killed(number: int) -> int:
    if number == 20:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_process_that_the_system_kills_is_one_line() -> None:
    with pytest.raises(ReprolmError, match="memory: a process ended before its work was done") as error:
        list(in_order(killed, range(100)))
    assert error.value.exit is Exit.MEMORY


def test_no_process_is_left_when_the_work_is_left_early() -> None:
    before = set(psutil.Process().children())
    work = in_order(Path, ["a"] * 1000)
    next(work)
    begun = [
        process for process in set(psutil.Process().children()) - before
        if "spawn_main" in " ".join(process.cmdline())
    ]  # fmt: skip
    assert begun
    work.close()  # type: ignore[attr-defined]
    assert not psutil.wait_procs(begun, timeout=60)[1]
