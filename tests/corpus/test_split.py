import hashlib
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprolm.corpus.config import SplitConfig
from reprolm.corpus.split import by_document, by_position, unit

CONFIG = SplitConfig(by="auto", train=0.7, validation=0.2, test=0.1)


def assigned(documents: list[bytes]) -> tuple[list[int], int]:
    digests = b"".join(hashlib.sha256(document).digest() for document in documents)
    sizes = np.array([len(document) for document in documents], dtype=np.uint64)
    splits, duplicates = by_document(digests, sizes, CONFIG)
    return splits.tolist(), int(duplicates.sum())


DOCUMENTS = [b"%d" % i * (i % 37 + 1) for i in range(400)]


def test_shares_are_met_in_bytes() -> None:
    splits, _ = assigned(DOCUMENTS)
    total = sum(map(len, DOCUMENTS))
    shares = [sum(len(d) for d, s in zip(DOCUMENTS, splits, strict=True) if s == i) / total for i in range(3)]
    assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.01)


def test_the_order_of_documents_changes_no_assignment() -> None:
    splits = dict(zip(DOCUMENTS, assigned(DOCUMENTS)[0], strict=True))
    shuffled = random.Random(1).sample(DOCUMENTS, len(DOCUMENTS))
    assert dict(zip(shuffled, assigned(shuffled)[0], strict=True)) == splits


@given(st.lists(st.sampled_from(DOCUMENTS[:30]), min_size=1, max_size=80))
def test_equal_documents_stay_together_and_are_counted(documents: list[bytes]) -> None:
    splits, duplicates = assigned(documents)
    assert len(set(zip(documents, splits, strict=True))) == len(set(documents))
    assert duplicates == len(documents) - len(set(documents))


@given(st.text(), st.sampled_from([0.1, 0.34, 0.8]))
def test_a_document_cut_by_position_loses_nothing_and_no_character_is_cut(text: str, train: float) -> None:
    config = SplitConfig(by="position", train=train, validation=0.1, test=0.9 - train)
    parts = by_position(text.encode(), config)
    assert len(parts) == 3
    assert "".join(str(part, "utf-8") for part in parts) == text


def test_the_shares_of_a_position_split_are_those_of_the_bytes() -> None:
    assert [len(part) for part in by_position(bytes(1000), CONFIG)] == [700, 200, 100]


def test_auto_divides_documents_only_if_they_are_few() -> None:
    assert unit(CONFIG, 19) == "position"
    assert unit(CONFIG, 20) == "document"
    assert unit(CONFIG.model_copy(update={"by": "document"}), 1) == "document"
