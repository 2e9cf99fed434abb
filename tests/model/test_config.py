"""Impossible architectures are refused, naming both parameters and the nearest valid values."""

import pytest

from reprolm.errors import ReprolmError
from tests.settings import model_config


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"n_heads": 5}, "model.n_heads: does not divide model.d_model = 32 (got 5; want 4 or 8)"),
        ({"n_kv_heads": 3}, "model.n_kv_heads: does not divide model.n_heads = 4 (got 3; want 2 or 4)"),
        ({"n_heads": 32, "n_kv_heads": 32}, "rope needs an even width of a head"),
        (
            {"position": "learned", "learned": {"n_positions": 8}},
            "model.context_length: is beyond model.learned.n_positions = 8 (got 16; want at most 8, or",
        ),
        ({"d_model": 0}, "model.d_model: has a wrong value (got 0; want greater than or equal to 1)"),
        ({"position": "rop"}, "model.position: has a wrong value (got rop; want 'rope', 'alibi'"),
        ({"d_model": "32"}, "model.d_model: has a wrong value (got 32; want a whole number)"),
        ({"n_head": 4}, "model.n_head: unknown key; did you mean model.n_heads?"),
    ],
)
def test_an_impossible_architecture_is_one_line(changes: dict[str, object], line: str) -> None:
    with pytest.raises(ReprolmError) as caught:
        model_config(**changes)
    assert line in str(caught.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ReprolmError) as caught:
        model_config(n_heads=5, n_layer=2, d_ff="wide")
    assert len(caught.value.problems) == 4  # d_ff, n_layer, and that 5 fits neither the width nor 2 kv heads
