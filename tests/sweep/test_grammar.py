"""What can be typed after `reprolm sweep`, and what DVC reads of it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprolm.errors import Exit, ReprolmError
from reprolm.sweep.grammar import axes, axis, combinations, override


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("train.learning_rate=1e-3,3e-4", (0.001, 0.0003)),
        ("seed=range(3)", (0, 1, 2)),
        ("seed=range(2, 10, 4),20", (2, 6, 20)),
        ("model.position=rope,none", ("rope", "none")),
        ("train.max_grad_norm=null,1.0", (None, 1.0)),
        ("model.qk_norm=true,false", (True, False)),
        ("sample.prompts=['a, b',c],[]", (["a, b", "c"], [])),
        ("data.files.separator='a,b','it''s'", ("a,b", "it's")),
        ('data.files.separator="\\n\\n",""', ("\n\n", "")),
        ("data.files.path=don't,do", ("don't", "do")),
        ("data.huggingface.configuration=on,012", ("on", 12)),
        ("seed=1,2,1", (1, 2)),
    ],
)
def test_values_are_read_as_params_yaml_reads_them(word: str, values: tuple[Any, ...]) -> None:
    found = axis(word).values
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_geometric_spaces_are_those_of_numpy_in_three_digits() -> None:
    found = axis("train.learning_rate=geomspace(1e-4,1e-2,5)").values
    assert found == (1e-4, 0.000316, 0.001, 0.00316, 0.01)
    np.testing.assert_allclose(found, np.geomspace(1e-4, 1e-2, 5), rtol=2e-3)
    assert axis("train.steps=geomspace(100,1000,3)").values == (100, 316, 1000)


def test_values_of_a_space_stay_apart_however_near_its_ends_are() -> None:
    for name in ("linspace", "geomspace"):
        found = axis(f"train.learning_rate={name}(1,1.01,11)").values
        np.testing.assert_allclose(found, getattr(np, name)(1, 1.01, 11), rtol=1e-4)
        assert len(found) == 11
    assert axis("model.dropout=linspace(0,0.3,4)").values == (0, 0.1, 0.2, 0.3)
    assert axis("train.learning_rate=1,1.0,true,2").values == (1, True, 2)


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.integers(2, 40))
def test_linspace_is_that_of_numpy_and_whole_where_all_its_values_are(
    first: int, last: int, count: int
) -> None:
    found, numpy = axis(f"seed=linspace({first},{last},{count})").values, np.linspace(first, last, count)
    if first != last:
        np.testing.assert_allclose(found, numpy, rtol=1e-11, atol=1e-9)
        whole = all(value == int(value) for value in numpy)
        assert {type(value) for value in found} == ({int} if whole else {float})
    else:
        assert found == (first,)


@pytest.mark.parametrize(
    "word",
    ["seed", "=1", "seed=", "seed=1,,2", "seed=range()", "seed=range(0)", "seed=range(1.5)",
     "seed=range(1,2,0)", "seed=[1,2", "a b=1", "seed={a: 1}", "seed='1", "seed=linspace(0,1)",
     "seed=geomspace(0,1,3)", "seed=linspace(0,1,1)", "seed=range(a)",
     "seed=2001-01-01", "seed=range(1000000)", "seed=range(99999999999999999999)",
     "seed=range(-9223372036854775808,9223372036854775807)", f"seed=linspace(0.5,1{'0' * 400},3)",
     f"seed=geomspace(0.5,1{'0' * 400},3)"],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line(word: str) -> None:
    with pytest.raises(ReprolmError) as caught:
        axes([word])
    assert caught.value.exit == Exit.PARAMETERS
    assert len(str(caught.value).splitlines()) == 1


def test_a_parameter_named_twice_is_refused() -> None:
    with pytest.raises(ReprolmError, match="named twice"):
        axes(["seed=1", "seed=2"])


def test_several_keys_are_a_grid_in_which_the_last_changes_fastest() -> None:
    grid = combinations(axes(["model.n_layers=1,2", "seed=range(2)"]))
    assert [tuple(each.values()) for each in grid] == [(1, 0), (1, 1), (2, 0), (2, 1)]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12),
)


@given(st.one_of(SCALARS, st.lists(SCALARS, max_size=3)))
def test_dvc_reads_every_value_as_the_one_that_was_checked(value: Any) -> None:
    from dvc.utils.hydra import to_hydra_overrides

    [found] = to_hydra_overrides([override("seed", value)])
    assert not found.is_sweep_override()
    assert _plain(found.value()) == value
    assert type(_plain(found.value())) is type(value)


def _plain(value: Any) -> Any:
    """Without the marks of quoting that Hydra keeps."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return getattr(value, "text", value)
