"""The source `synthetic`, its corpus, and what is refused."""

import json
import math
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from reprolm.config import inspected
from reprolm.corpus.build import build
from reprolm.corpus.config import DataConfig
from reprolm.corpus.synthetic.source import Synthetic
from reprolm.errors import Exit, ReprolmError
from tests.corpus.synthetic.settings import config
from tests.corpus.test_build import config as data
from tests.settings import raw


def test_a_corpus_of_it_says_what_its_floor_is(tmp_path: Path) -> None:
    settings = data(source="synthetic", synthetic={"kind": "copying", "documents": 100})
    build(settings, tmp_path / "corpus", tmp_path)
    account = json.loads((tmp_path / "corpus" / "corpus.json").read_text())
    assert account["synthetic"] == settings.synthetic.model_dump()
    assert account["floor"]["nats_per_symbol"] == pytest.approx(16 * math.log(26) / 33)


def test_memory_does_not_grow_with_the_number_of_documents() -> None:
    """Keys of `recall` come in more orders than could be kept."""
    peaks = []
    for count in (200, 1600):
        tracemalloc.start()
        for _ in Synthetic(config("recall", documents=count)):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize(
    ("kind", "changes", "line"),
    [
        (
            "markov",
            {"markov": {"order": 4, "n_symbols": 16}},
            "and data.synthetic.markov.order = 4 make 65536 contexts",
        ),
        (
            "recall",
            {"recall": {"n_pairs": 9, "n_keys": 8}},
            "n_pairs: is above data.synthetic.recall.n_keys = 8",
        ),
        ("markov", {"length": 1}, "data.synthetic.length: is not above data.synthetic.markov.order = 1"),
    ],
)
def test_an_impossible_process_is_one_line(kind: str, changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ReprolmError, match=line):
        config(kind, **changes)


def test_more_documents_than_are_different_are_refused() -> None:
    Synthetic(config("copying", documents=67, copying={"length": 2, "n_symbols": 26}))
    with pytest.raises(
        ReprolmError, match=r"data\.synthetic\.documents: .*got 68; want at most 67"
    ) as caught:
        Synthetic(config("copying", documents=68, copying={"length": 2, "n_symbols": 26}))
    assert caught.value.exit is Exit.PARAMETERS


@pytest.mark.parametrize(
    ("by", "documents", "most", "told"),
    [
        ("position", 100, None, "data.split.by: would cut .*got position; want document"),
        ("auto", 19, None, "data.split.by: would cut .*got auto, with 19 documents"),
        ("auto", 100, 19, "data.split.by: would cut .*got auto, with 19 documents"),
        ("auto", 20, None, None),
        ("document", 3, None, None),
    ],
)
def test_its_documents_are_never_cut(by: str, documents: int, most: int | None, told: str | None) -> None:
    values = raw("data", source="synthetic")
    values["split"] = values["split"] | {"by": by}
    values["limit"] = values["limit"] | {"documents": most}
    values["synthetic"] = values["synthetic"] | {"documents": documents}
    _, problems = inspected({"data": values}, "data", DataConfig)
    assert len(problems) == (told is not None)
    assert not problems or re.search(told or "", str(problems[0]))
