import re

import pytest

from reprolm.corpus.url import NAMED, resolved
from tests.corpus.test_build import config


@pytest.mark.parametrize("name", NAMED)
def test_a_named_corpus_is_pinned(name: str) -> None:
    wanted, _ = resolved(config(url={"name": name}).url)
    assert wanted.address.startswith("https://")
    assert name == "openwebtext_sample" or re.fullmatch("[0-9a-f]{64}", wanted.sha256 or "")


def test_tiny_shakespeare_is_the_file_that_everybody_means() -> None:
    wanted, separator = resolved(config(url={"name": "tiny_shakespeare"}).url)
    assert wanted.bytes == 1_115_394
    assert (wanted.sha256 or "").startswith("86c4e6aa")
    assert separator == ""


def test_a_parameter_stands_above_the_table_and_a_mirror_must_serve_the_same_bytes() -> None:
    mirror = {"name": "tinystories_train", "address": "http://mirror/x.txt", "separator": "##"}
    wanted, separator = resolved(config(url=mirror).url)
    assert (wanted.address, separator) == ("http://mirror/x.txt", "##")
    assert wanted.sha256 == NAMED["tinystories_train"][0].sha256
