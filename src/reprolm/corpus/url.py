"""The source `url`: a named corpus, or any address."""

import sys
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from reprolm.corpus.config import UrlConfig
from reprolm.corpus.download import Wanted, download, shown_url
from reprolm.corpus.opened import content
from reprolm.corpus.text import Text, check_utf8, divided
from reprolm.errors import Exit, refuse
from reprolm.store import file_sha256, locked, patiently, publish_json, read_json

PINS = "pins.json"
CACHE = Path(".reprolm", "downloads")
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
    # size and digest are not known for sure: pinned here by the first download
    "openwebtext_sample": (
        Wanted(
            "https://huggingface.co/datasets/stanford-cs336/owt-sample/resolve/main/owt_valid.txt.gz",
            None,
            None,
        ),
        "<|endoftext|>",
    ),
}
"""Name → file, separator. Tiny Shakespeare: Karpathy 2015. TinyStories V2: Eldan, Li, arXiv:2305.07759.
OpenWebText (Gokaslan & Cohen 2019): the sample of Stanford's CS336; 50M tokens are about 225 MB of it."""


def resolved(config: UrlConfig) -> tuple[Wanted, str]:
    """What is to be downloaded, and its separator: a parameter that is null is taken from the table."""
    named, separator = NAMED.get(config.name, (Wanted("", None, None), ""))
    wanted = Wanted(
        config.address or named.address, config.bytes or named.bytes, config.sha256 or named.sha256
    )
    return wanted, separator if config.separator is None else config.separator


class Url:
    """The documents of a download, which the repository `root` keeps."""

    file = ""

    def __init__(self, config: UrlConfig, root: Path, *, strict: bool) -> None:
        self._wanted, self._separator = resolved(config)
        self._root, self._strict = root, strict
        self.facts: dict[str, str | int] = {"address": shown_url(self._wanted.address)}

    def __iter__(self) -> Iterator[Text]:
        wanted = _pinned(self._wanted, self._root)
        path = download(wanted, self._root / CACHE)
        found, where = file_sha256(path), shown_url(wanted.address)
        self.facts |= {"download_bytes": path.stat().st_size, "download_sha256": found}
        if wanted.sha256 is None:
            with locked(self._root / CACHE, wait=patiently):
                publish_json(self._root / PINS, dict(sorted((_pins(self._root) | {where: found}).items())))
            print(f"download: {PINS} pins what came, sha256 {found}; commit it", file=sys.stderr)
        inside = content(path, PurePosixPath(urllib.parse.urlsplit(wanted.address).path).name)
        if not len(inside):
            raise refuse(where, "is empty", want="a text")
        if self._strict:
            check_utf8(inside, where)
        yield from divided(inside, self._separator)


def _pins(root: Path) -> dict[str, str]:
    """Address → sha256 of the first download. Git tracks the file: every clone refuses other bytes."""
    path = root / PINS
    pins = read_json(path) if path.is_file() else {}
    if not isinstance(pins, dict) or not all(isinstance(sha256, str) for sha256 in pins.values()):
        raise refuse(str(path), "has a wrong form", want="address: sha256", exit=Exit.INTEGRITY)
    return pins


def _pinned(wanted: Wanted, root: Path) -> Wanted:
    """What is wanted, with the digest of its first download where no other is known."""
    return replace(wanted, sha256=wanted.sha256 or _pins(root).get(shown_url(wanted.address)))
