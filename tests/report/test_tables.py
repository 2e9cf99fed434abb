"""Numbers as words, and tables of what is in a mapping."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprolm.report import tables


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (99_999, "99,999"),
        (100_502_513, "101 M"),
        (100_000, "0.10 M"),
        (9_996_000, "10.0 M"),
        (999_999_999, "1.00 B"),
        (13_204_881_000, "13.2 B"),
        (7.5e12, "7.50 T"),
    ],
)
def test_counts_are_compact(value: float, shown: str) -> None:
    assert tables.compact(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(999, "999 bytes"), (1000, "1.00 kB"), (999_999, "1.00 MB"), (38_654_705_664, "38.7 GB")],
)
def test_bytes_are_compact(value: float, shown: str) -> None:
    assert tables.compact_bytes(value) == shown


@given(st.integers(100_000, 10**15))
def test_a_compact_count_is_within_half_a_percent(value: int) -> None:
    share, unit = tables.compact(value).split()
    scale = {name: scale for scale, name in tables.SCALES}[unit]
    error = 0.05 if value < 1_000_000 else 0.005
    assert float(share) * scale == pytest.approx(value, rel=error)


def test_a_mapping_of_mappings_is_a_matrix_with_gaps() -> None:
    metrics = {"tokens": 5, "splits": {"train": {"tokens": 4, "bytes": 9}, "test": {"tokens": 1}}}
    single, splits = tables.of_metrics(metrics)
    assert single.rows == (("tokens", "5"),)
    assert splits.columns == ("splits", "tokens", "bytes")
    assert splits.rows == (("train", "4", "9"), ("test", "1", "–"))


def test_deeper_mappings_become_dotted_names() -> None:
    (table,) = tables.of_metrics({"probe": {"mean": 1, "by_layer": {"0": {"norm": 2.0}}}})
    assert table.title == "probe"
    assert table.rows == (("mean", "1"), ("by layer.0.norm", "2.000"))


def test_parameters_stand_by_section_in_their_own_order() -> None:
    params = {"seed": 1, "model.rope.theta": 1e4, "data.packages": {"numpy": "2"}, "model.d_model": 128}
    assert [(table.title, table.rows) for table in tables.of_parameters(params)] == [
        ("", (("seed", "1"),)),
        ("model", (("rope.theta", "10000.0"), ("d_model", "128"))),
        ("data", (("packages.numpy", "2"),)),
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(True, "true"), (None, "null"), (3e-05, "3e-05"), (" x", '" x"'), ("a\nb", '"a\\nb"'), ({}, "{}")],
)
def test_parameters_are_written_as_in_the_file(value: object, shown: str) -> None:
    assert tables.written(value) == shown


def test_long_parameters_are_cut_and_say_how_long_they_are() -> None:
    shown = tables.written("x" * 10_000)
    assert shown.endswith("… (10,000 characters)")
    assert len(shown) < 450
