"""The source `huggingface`: a dataset of the Hugging Face hub, or a folder laid out like one, streamed."""

import re
from collections.abc import Iterator
from pathlib import Path

from reprolm.corpus.config import HuggingFaceConfig
from reprolm.corpus.text import Text
from reprolm.errors import Exit, refuse

PARAMETER = "data.huggingface"
HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
COMMIT = re.compile("[0-9a-f]{40}")


class HuggingFace:
    """The texts of a field, a row a document; nothing is downloaded before it is needed."""

    file = ""

    def __init__(self, config: HuggingFaceConfig) -> None:
        self._config = config
        self.facts: dict[str, str | int] = {"dataset": config.dataset, "rows": 0}
        if config.revision:
            self.facts["revision"] = config.revision

    def __iter__(self) -> Iterator[Text]:
        config = self._config
        for row in self._rows():
            self.facts["rows"] = int(self.facts["rows"]) + 1
            text = row.get(config.field)
            if not isinstance(text, str):
                raise refuse(f"{PARAMETER}.field", f"row {self.facts['rows']} has no such text",
                             got=config.field, want=", ".join(map(str, row)))  # fmt: skip
            if document := text.encode("utf-8", "surrogatepass"):
                yield document

    def _rows(self) -> Iterator[dict[str, object]]:
        try:
            import datasets
        except ImportError as error:
            want = "pip install 'reprolm[huggingface]'"
            raise refuse("data.source", "huggingface needs the package datasets", want=want,
                         exit=Exit.MISSING) from error  # fmt: skip
        config = self._config
        _check_pinned(config)
        try:
            yield from datasets.load_dataset(
                config.dataset,
                config.configuration,
                split=config.split,
                revision=config.revision,
                streaming=True,
            )
        except (ConnectionError, TimeoutError) as error:
            what = "the hub does not answer"
            raise refuse(PARAMETER, what, got=_first_line(error), exit=Exit.NETWORK) from error
        except (datasets.exceptions.DatasetsError, OSError, ValueError) as error:
            what = "cannot be read"
            raise refuse(f"{PARAMETER}.dataset", what, got=f"{config.dataset}: {_first_line(error)}",
                         exit=Exit.MISSING) from error  # fmt: skip


def _check_pinned(config: HuggingFaceConfig) -> None:
    """Refuses a dataset of the hub that may be another one tomorrow."""
    if Path(config.dataset).exists() or not HUB_NAME.fullmatch(config.dataset):
        return
    if not COMMIT.fullmatch(config.revision or ""):
        want = "a commit of the dataset, 40 hex digits: branches and tags can move"
        raise refuse(f"{PARAMETER}.revision", "does not pin the dataset", got=config.revision or "null",
                     want=want, exit=Exit.PARAMETERS)  # fmt: skip


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
