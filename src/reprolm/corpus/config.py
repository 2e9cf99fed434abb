"""The section `data`: where the text comes from and how it is split."""

import re
import urllib.parse
from typing import Annotated, Literal

from pydantic import Field

from reprolm.config import Config, rule
from reprolm.errors import Problem

Share = Annotated[float, Field(gt=0.0, lt=1.0)]


class SplitConfig(Config):
    """Shares of train, validation and test, and the unit that is never divided.

    `document`: whole documents, in an order that only their content decides; `position`: each document is cut
    at the shares; `auto`: `position` for fewer than 20 documents, else `document`.
    """

    by: Literal["auto", "document", "position"]
    train: Share
    validation: Share
    test: Share

    @rule
    def _sum(self) -> Problem | None:
        total = self.train + self.validation + self.test
        if abs(total - 1.0) <= 1e-9:
            return None
        return Problem("train", "the shares train + validation + test do not sum to 1", round(total, 9), "1")


class DocstringsConfig(Config):
    """Documentation strings of installed packages: distribution name → version."""

    packages: dict[str, str] = Field(min_length=1)


class FilesConfig(Config):
    """Own text: a file, or the files of a folder that `glob` matches.

    `separator` divides a file into documents; with "" a file is one document.
    """

    path: str = Field(min_length=1)
    glob: str = Field(min_length=1)
    separator: str


class UrlConfig(Config):
    """A download. For a named corpus, null means: as the table in `corpus/url.py` has it."""

    name: Literal["tiny_shakespeare", "tinystories_train", "tinystories_validation", "custom"]
    address: str | None
    bytes: Annotated[int, Field(gt=0)] | None
    sha256: str | None
    separator: str | None

    @rule
    def _custom_needs_address(self) -> Problem | None:
        if self.name != "custom" or self.address is not None:
            return None
        return Problem("address", "is needed when data.url.name is custom", "null", "an http or https URL")

    @rule
    def _address(self) -> Problem | None:
        if self.address is None:
            return None
        parts = urllib.parse.urlsplit(self.address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return Problem("address", "has a wrong form", f"scheme {parts.scheme!r}", "an http or https URL")
        if parts.username or parts.password:
            return Problem("address", "holds credentials, which would be recorded", want="a URL without them")
        return None

    @rule
    def _sha256(self) -> Problem | None:
        if self.sha256 is None or re.fullmatch("[0-9a-f]{64}", self.sha256):
            return None
        return Problem("sha256", "has a wrong form", self.sha256, "64 lowercase hex digits, or null")


class DataConfig(Config):
    """The section `data`."""

    source: Literal["docstrings", "files", "url"]
    split: SplitConfig
    docstrings: DocstringsConfig
    files: FilesConfig
    url: UrlConfig
