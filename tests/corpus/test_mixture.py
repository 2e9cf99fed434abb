"""Several sources as one, and one cut short."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reprolm.corpus.build import source
from reprolm.corpus.config import LimitConfig
from reprolm.corpus.mixture import Limited, Mixture
from reprolm.corpus.text import Text
from reprolm.errors import ReprolmError
from tests.corpus.test_build import config, written


class Of:
    """A source of given documents."""

    file = ""

    def __init__(self, *documents: bytes) -> None:
        self.documents = documents
        self.facts: dict[str, str | int] = {"documents": len(documents)}

    def __iter__(self) -> Iterator[Text]:
        return iter(self.documents)


def test_shares_hold_at_any_time_and_until_one_source_ends() -> None:
    long, short = Of(*[b"x" * 30] * 500), Of(*[b"y" * 7] * 900)
    mixture = Mixture({"long": long, "short": short}, {"long": 0.75, "short": 0.25})
    documents = [bytes(document) for document in mixture]
    sums = {b"x": 0, b"y": 0}
    for count, document in enumerate(documents):
        sums[document[:1]] += len(document)
        if count > 20:
            assert abs(sums[b"x"] - 3 * sums[b"y"]) <= 4 * 30
    assert min(500 * 30 - sums[b"x"], 900 * 7 - sums[b"y"]) == 0
    assert mixture.facts["long"]["taken"]["bytes"] == sums[b"x"]


def test_a_mixture_that_a_limit_ends_says_what_was_taken() -> None:
    mixture = Mixture({"a": Of(b"1" * 10, b"2" * 10), "b": Of(b"3" * 5, b"4" * 5)}, {"a": 0.5, "b": 0.5})
    assert len(list(Limited(mixture, LimitConfig(bytes=None, documents=3)))) == 3
    assert mixture.facts["b"] == {"taken": {"documents": 2, "bytes": 10}, "facts": {"documents": 2}}


def test_own_text_and_documentation_mix(tmp_path: Path) -> None:
    folder = written(tmp_path / "t", [f"story {i} " * 40 for i in range(400)])
    mixed = config(
        source="mixture",
        mixture={"docstrings": 0.5, "files": 0.5},
        files={"path": str(folder)},
        docstrings={"packages": {"numpy": config().docstrings.packages["numpy"]}},
    )
    taken = [bytes(document) for document in source(mixed, tmp_path)]
    own = sum(len(document) for document in taken if document.startswith(b"story"))
    assert own == pytest.approx(sum(map(len, taken)) / 2, rel=0.2)


def test_a_mixture_of_nothing_is_one_line() -> None:
    with pytest.raises(ReprolmError, match=r"data.mixture.files: every share is 0"):
        config(mixture={"docstrings": 0.0, "files": 0.0})


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ({"bytes": None, "documents": 2}, ["кот", "пёс"]),
        ({"bytes": 8, "documents": None}, ["кот", "п"]),
        ({"bytes": 9, "documents": None}, ["кот", "п"]),  # half a character is none
        ({"bytes": 6, "documents": 3}, ["кот"]),
        ({"bytes": 100, "documents": 100}, ["кот", "пёс", "мышь"]),
    ],
)
def test_a_limit_is_met_to_the_character(limit: dict[str, int | None], expected: list[str]) -> None:
    limited = Limited(
        Of(*[word.encode() for word in ("кот", "пёс", "мышь")]), LimitConfig.model_validate(limit)
    )
    assert [bytes(document).decode() for document in limited] == expected
