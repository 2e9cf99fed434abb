"""Threads that compute side by side."""

import threading

import pytest
import torch

from reprolm.threads import SideBySide


@pytest.fixture
def four() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("four")
def test_torchs_threads_are_divided_and_those_of_the_caller_stay() -> None:
    threads = SideBySide(2)
    ready = threading.Barrier(2, timeout=60)

    def number(_: int) -> int:
        ready.wait()  # both take part
        torch.ones(100, 100) @ torch.ones(100, 100)
        return torch.get_num_threads()

    assert threads.map(number, range(2)) == [2, 2]
    assert torch.get_num_threads() == 4
    # where others begin to compute, the number of each stays
    torch.set_num_threads(4)
    assert threads.map(number, range(2)) == [2, 2]


def test_results_come_in_the_order_of_the_items() -> None:
    later = threading.Event()

    def squared(number: int) -> int:
        if number == 0:
            assert later.wait(60)
        else:
            later.set()
        return number**2

    assert SideBySide(2).map(squared, range(4)) == [0, 1, 4, 9]


def test_all_have_ended_when_one_has_failed() -> None:
    ended: list[int] = []
    failed = threading.Event()

    def compute(number: int) -> None:
        if number == 0:
            failed.set()
            raise ValueError("the first")
        assert failed.wait(60)
        ended.append(number)

    with pytest.raises(ValueError, match="the first"):
        SideBySide(2).map(compute, range(2))
    assert ended == [1]


def test_one_computes_in_the_thread_that_asks() -> None:
    assert SideBySide(1).map(lambda _: threading.get_ident(), [0]) == [threading.get_ident()]
