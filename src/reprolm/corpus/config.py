"""The section `data`: where the text comes from and how it is split."""

import re
import urllib.parse
from typing import Annotated, Literal

from pydantic import Field

from reprolm.config import Config, rule
from reprolm.corpus.synthetic.config import SyntheticConfig
from reprolm.errors import Problem

Share = Annotated[float, Field(gt=0.0, lt=1.0)]
Weight = Annotated[float, Field(ge=0)]
Action = Literal["keep", "repair", "refuse"]
FEW_DOCUMENTS = 20


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
    """Own text: a file, or the files of a folder that `glob` matches; .gz, .bz2, .xz and .zst are unpacked.

    `separator` divides a file of text into documents; with "" it is one document. In .jsonl files a line is a
    document, in .parquet files a row: the text under `field`.
    """

    path: str = Field(min_length=1)
    glob: str = Field(min_length=1)
    separator: str
    field: str = Field(min_length=1)

    @rule
    def glob_stays_in_the_folder(self) -> Problem | None:
        """DVC follows the folder alone: what lies elsewhere could change unseen."""
        if not self.glob.startswith("/") and ".." not in self.glob.split("/"):
            return None
        return Problem("glob", "leaves the folder data.files.path", self.glob, "a pattern of names in it")


class UrlConfig(Config):
    """A download. For a named corpus, null means: as the table in `corpus/url.py` has it."""

    name: Literal[
        "tiny_shakespeare", "tinystories_train", "tinystories_validation", "openwebtext_sample", "custom"
    ]
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


class HuggingFaceConfig(Config):
    """A dataset of the Hugging Face hub, or the path of a folder like one."""

    dataset: str
    configuration: str | None
    split: str = Field(min_length=1)
    field: str = Field(min_length=1)
    revision: str | None


class LimitConfig(Config):
    """How much of the source is taken, from its start; null: all."""

    bytes: Annotated[int, Field(gt=0)] | None
    documents: Annotated[int, Field(gt=0)] | None


class HygieneConfig(Config):
    """What is done where something is found: `keep` it as it is, `repair` it, or `refuse` the text."""

    invalid_utf8: Action
    """Repaired: each wrong byte becomes U+FFFD. Kept: `tokenizer.kind` bytes and bytepair alone read it."""
    byte_order_mark: Action
    """Repaired: left out."""
    nul: Action
    """Repaired: left out."""
    control_characters: Action
    """Other than tab, line feed and carriage return. Repaired: left out."""
    line_ends: Action
    """CR LF and CR. Repaired: LF."""
    unnormalised: Action
    """Text that is not in Unicode's normal form C. Repaired: normalised."""
    mojibake: Action
    """UTF-8 that was read as something else, by ftfy's score. Repaired by ftfy."""
    duplicates: Action
    """Exact copies of a document; they always share a split. Repaired: one is left."""
    near_duplicates: Action
    """Documents of validation or test of which half stands in train. Repaired: left out."""


class MixtureConfig(Config):
    """The share of each source in the bytes of a mixture; 0: it takes no part."""

    docstrings: Weight
    files: Weight
    url: Weight
    huggingface: Weight

    @property
    def shares(self) -> dict[str, float]:
        """The sources that take part."""
        return {name: share for name, share in self if share}

    @rule
    def _somebody_takes_part(self) -> Problem | None:
        return None if self.shares else Problem("files", "every share is 0", want="at least one above 0")


class DataConfig(Config):
    """The section `data`."""

    source: Literal["docstrings", "files", "url", "huggingface", "synthetic", "mixture"]
    split: SplitConfig
    limit: LimitConfig
    hygiene: HygieneConfig
    docstrings: DocstringsConfig
    files: FilesConfig
    url: UrlConfig
    huggingface: HuggingFaceConfig
    synthetic: SyntheticConfig
    mixture: MixtureConfig

    @rule
    def _synthetic_documents_stay_whole(self) -> Problem | None:
        documents = min(self.synthetic.documents, self.limit.documents or self.synthetic.documents)
        few = self.split.by == "auto" and documents < FEW_DOCUMENTS
        if self.source != "synthetic" or not (few or self.split.by == "position"):
            return None
        what = "would cut the documents of data.source synthetic, which are scored from their beginnings"
        got = f"auto, with {documents} documents" if few else self.split.by
        return Problem("split.by", what, got, "document")

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources that text is taken from."""
        return tuple(self.mixture.shares) if self.source == "mixture" else (self.source,)

    def acts(self, selector: str, word: str) -> bool:
        """The options of a source act where it is chosen, alone or in a mixture."""
        return word in (*self.sources, self.source) if selector == "source" else super().acts(selector, word)
