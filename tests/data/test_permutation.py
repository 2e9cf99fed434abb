import collections

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprolm.data.permutation import Permutation

SIZES = [*range(1, 70), 99, 100, 101, 255, 256, 257, 1000, 4095, 4097, 65_536, 99_991]


@pytest.mark.parametrize("size", SIZES)
def test_each_number_is_hit_exactly_once(size: int) -> None:
    for seed in (0, 1, 2**63 - 1):
        assert np.array_equal(np.sort(Permutation(size, seed)(np.arange(size))), np.arange(size))


@given(st.integers(1, 5000), st.integers(0, 2**63 - 1))
def test_it_is_a_bijection_for_any_size_and_seed(size: int, seed: int) -> None:
    assert len(set(Permutation(size, seed)(np.arange(size)).tolist())) == size


@given(st.integers(1, 2**40), st.integers(0, 2**63 - 1), st.data())
def test_an_image_does_not_depend_on_what_is_asked_with_it(size: int, seed: int, data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=9))
    order = Permutation(size, seed)
    images = order(numbers)
    assert [int(order([number])[0]) for number in numbers] == images.tolist()
    assert ((images >= 0) & (images < size)).all()


def test_seeds_give_other_orders() -> None:
    orders = {tuple(Permutation(50, seed)(np.arange(50))) for seed in range(200)}
    assert len(orders) == 200


def test_places_and_neighbours_look_random() -> None:
    size, seeds = 30, 3000
    images = np.array([Permutation(size, seed)(np.arange(size)) for seed in range(seeds)])
    for place in (0, 1, size - 1):
        counts = np.bincount(images[:, place], minlength=size)
        # chi-square with 29 degrees of freedom exceeds 70 with probability 3e-5
        assert ((counts - seeds / size) ** 2 / (seeds / size)).sum() < 70
    steps = collections.Counter(((images[:, 1] - images[:, 0]) % size).tolist())
    assert steps[0] == 0
    expected = seeds / (size - 1)
    assert sum((steps[i] - expected) ** 2 / expected for i in range(1, size)) < 70
