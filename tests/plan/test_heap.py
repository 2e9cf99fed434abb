"""The heap that gaps are predicted with."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from reprolm.plan.heap import ALIGNMENT_BYTES, Heap

MIB = 1 << 20


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 10_000)), max_size=60))
def test_living_blocks_never_overlap_and_all_lie_below_the_highest(steps: list[tuple[bool, int]]) -> None:
    heap = Heap()
    living: list[tuple[int, int]] = []
    for free, number in steps:
        if free and living:
            heap.free(*living.pop(number % len(living)))
        else:
            living.append((heap.allocate(number), number))
    ends = [(start, start + size) for start, size in sorted(living)]
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ends))
    assert max((end for _, end in ends), default=0) <= heap.highest_bytes
    for block in living:
        heap.free(*block)
    assert heap.top_bytes == 0


def test_a_gap_that_is_too_small_is_passed_over_and_the_top_rises() -> None:
    heap = Heap()
    first, _ = heap.allocate(MIB), heap.allocate(ALIGNMENT_BYTES)
    heap.free(first, MIB)
    assert heap.allocate(2 * MIB) > first
    assert heap.allocate(MIB // 2) == first
    assert heap.highest_bytes == 3 * MIB + ALIGNMENT_BYTES


def test_of_several_gaps_the_smallest_that_fits_is_taken() -> None:
    heap = Heap()
    blocks = [heap.allocate(size) for size in (3 * MIB, 64, 2 * MIB, 64)]
    heap.free(blocks[0], 3 * MIB)
    heap.free(blocks[2], 2 * MIB)
    assert heap.allocate(MIB) == blocks[2]


def test_neighbours_that_are_free_are_one_gap() -> None:
    heap = Heap()
    blocks = [heap.allocate(MIB) for _ in range(4)]
    for index in (0, 2, 1):
        heap.free(blocks[index], MIB)
    assert heap.allocate(2 * MIB) == blocks[0]
