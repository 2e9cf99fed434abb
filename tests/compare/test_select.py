"""Which runs a word means."""

import pytest

from reprolm.compare.select import selected
from reprolm.errors import Exit, ReprolmError
from tests.compare.conftest import Store


def names(store: Store, *words: str) -> list[str]:
    return [run.info.run_name for run in selected(store.to, words)]


def test_a_name_is_its_run_that_finished(store: Store) -> None:
    found = selected(store.to, ["rate=0.01,seed=1", "latest"])
    assert [run.info.run_name for run in found] == ["rate=0.01,seed=1", "bytes"]
    assert found[0].info.status == "FINISHED"


def test_an_id_or_its_beginning_is_a_run(store: Store) -> None:
    one, other = selected(store.to, ["rate=0.0?,seed=2"])
    found = selected(store.to, [one.info.run_id, other.info.run_id[:12]])
    assert [run.info.run_id for run in found] == [one.info.run_id, other.info.run_id]


def test_a_pattern_leaves_out_what_failed_and_doubles_nothing(store: Store) -> None:
    assert sorted(names(store, "rate=0.01*", "rate=*seed=1")) == [
        "rate=0.01,seed=1", "rate=0.01,seed=2", "rate=0.01,seed=3", "rate=0.03,seed=1",
    ]  # fmt: skip


def test_a_filter_of_mlflow_is_asked_there(store: Store) -> None:
    assert sorted(names(store, "metrics.`evaluate/bits_per_byte` < 1.225")) == [
        "bytes", "rate=0.03,seed=1", "rate=0.03,seed=2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (["rate=0.01,seed=9", "bytes"], "rate=0.01,seed=", Exit.MISSING),
        (["nothing*"], "run: is not known", Exit.MISSING),
        (["metrics.x ~ 3"], "no filter of MLflow", Exit.PARAMETERS),
        (["bytes"], "compares several runs", Exit.PARAMETERS),
        (["bytes", "bytes"], "compares several runs", Exit.PARAMETERS),
    ],
)
def test_a_word_that_means_nothing_is_one_line(store: Store, words: list[str], told: str, code: Exit) -> None:
    with pytest.raises(ReprolmError, match=told) as caught:
        selected(store.to, words)
    assert caught.value.exit == code
    assert len(str(caught.value).splitlines()) == 1
