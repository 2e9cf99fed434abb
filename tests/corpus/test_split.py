import bisect
import hashlib
import random
from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprolm.corpus import split
from reprolm.corpus.config import SplitConfig
from reprolm.corpus.split import by_document, by_position, repeated, unit

CONFIG = SplitConfig(by="auto", train=0.7, validation=0.2, test=0.1)


def sha256(documents: list[bytes]) -> list[bytes]:
    return [hashlib.sha256(document).digest() for document in documents]


def assigned(documents: list[bytes]) -> tuple[list[int], int]:
    digests = sha256(documents)
    borders = by_document(lambda: zip(digests, map(len, documents), strict=True), CONFIG)

    def blocks() -> Iterator[npt.NDArray[np.uint64]]:
        for start in range(0, len(digests), 7):
            block = b"".join(digests[start : start + 7])
            yield np.frombuffer(block, dtype=">u8").reshape(-1, 4).astype(np.uint64)

    count, found = repeated(blocks, len(documents))
    assert found == {digest for digest, times in Counter(digests).items() if times > 1}
    return [bisect.bisect_right(borders, digest) for digest in digests], count


def sorted_out(documents: list[bytes]) -> list[int]:
    """The same rule, by sorting everything."""
    sizes: Counter[bytes] = Counter()
    for digest, document in zip(sha256(documents), documents, strict=True):
        sizes[digest] += len(document)
    splits, before = {}, 0
    for digest in sorted(sizes):
        middle = (before + sizes[digest] / 2) / sizes.total()
        splits[digest] = (middle >= 0.7) + (middle >= 0.7 + 0.2)
        before += sizes[digest]
    return [splits[digest] for digest in sha256(documents)]


DOCUMENTS = [b"%d" % i * (i % 37 + 1) for i in range(400)]


def test_shares_are_met_in_bytes() -> None:
    splits, _ = assigned(DOCUMENTS)
    total = sum(map(len, DOCUMENTS))
    shares = [sum(len(d) for d, s in zip(DOCUMENTS, splits, strict=True) if s == i) / total for i in range(3)]
    assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.01)


@given(st.lists(st.sampled_from(DOCUMENTS), min_size=1, max_size=200))
def test_borders_found_without_sorting_are_those_of_sorting(documents: list[bytes]) -> None:
    assert assigned(documents)[0] == sorted_out(documents)


def test_documents_that_crowd_around_a_border_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "_bucket", lambda digest: digest[0] >> 6)
    assert assigned(DOCUMENTS)[0] == sorted_out(DOCUMENTS)


def test_repeated_documents_are_counted_exactly_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "AT_ONCE", 16)
    documents = [b"%d" % i for i in range(400)]
    assert assigned(documents + documents[:100] + documents[:7])[1] == 107


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
