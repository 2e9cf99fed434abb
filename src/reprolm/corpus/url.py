"""The source `url`: a named corpus, or any address."""

import sys
from collections.abc import Iterator
from pathlib import Path

from reprolm.corpus.config import UrlConfig
from reprolm.corpus.download import Wanted, download, shown_url
from reprolm.corpus.text import Text, check_utf8, divided, mapped
from reprolm.errors import refuse
from reprolm.store import file_sha256

TINY_STORIES = (
    "https://huggingface.co/datasets/roneneldan/TinyStories/resolve/"
    "f54c09fd23315a6f9c86f9dc80f725de7d8f9c64/TinyStoriesV2-GPT4-"
)
NAMED: dict[str, tuple[Wanted, str]] = {
    "tiny_shakespeare": (
        Wanted(
            "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
            1_115_394,
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        ),
        "",
    ),
    "tinystories_train": (
        Wanted(
            f"{TINY_STORIES}train.txt",
            None,
            "6418d412de72888f52b5142c761ac21a582f7d1166f0bfbdb5f03ccfdec90443",
        ),
        "<|endoftext|>",
    ),
    "tinystories_validation": (
        Wanted(
            f"{TINY_STORIES}valid.txt",
            None,
            "6874bae9a4c1a4e7edcf0e53b86c17817e9cf881fc75ff2368da457b80c0585d",
        ),
        "<|endoftext|>",
    ),
}
"""Name → file, separator. Tiny Shakespeare: Karpathy 2015. TinyStories V2: Eldan, Li, arXiv:2305.07759."""


def resolved(config: UrlConfig) -> tuple[Wanted, str]:
    """What is to be downloaded, and its separator: a parameter that is null is taken from the table."""
    named, separator = NAMED.get(config.name, (Wanted("", None, None), ""))
    wanted = Wanted(
        config.address or named.address, config.bytes or named.bytes, config.sha256 or named.sha256
    )
    return wanted, separator if config.separator is None else config.separator


class Url:
    """The documents of a download."""

    def __init__(self, config: UrlConfig, cache: Path) -> None:
        self._wanted, self._separator = resolved(config)
        self._cache = cache
        self.facts: dict[str, str | int] = {"address": shown_url(self._wanted.address)}

    def __iter__(self) -> Iterator[Text]:
        path = download(self._wanted, self._cache)
        content, found = mapped(path), file_sha256(path)
        self.facts |= {"download_bytes": len(content), "download_sha256": found}
        if self._wanted.sha256 is None:
            print(f"download: data.url.sha256 pins what came: {found}", file=sys.stderr)
        where = shown_url(self._wanted.address)
        if not content:
            raise refuse(where, "is empty", want="a text")
        check_utf8(content, where)
        yield from divided(content, self._separator)
