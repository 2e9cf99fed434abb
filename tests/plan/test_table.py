"""The table: doctests of its words are run with the others; here, that it fits."""

import doctest

from reprolm.plan import table


def test_its_examples_are_true() -> None:
    assert doctest.testmod(table).failed == 0
