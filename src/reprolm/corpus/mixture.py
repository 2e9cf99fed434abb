"""Several sources as one, and one source cut short."""

from collections.abc import Iterator, Mapping
from typing import Any

from reprolm.corpus.config import LimitConfig
from reprolm.corpus.text import Source, Text


class Mixture:
    """Documents of several sources, so that each has its share of the bytes at any time.

    The next document comes from the source that is furthest behind its share; nothing is drawn by lot. The
    end of one source ends the mixture: the shares hold.
    """

    def __init__(self, sources: Mapping[str, Source], weights: Mapping[str, float]) -> None:
        self._sources, self._weights = sources, weights
        # whatever ends the reading, a limit or a source, they say what was taken until then
        self._taken = {name: {"documents": 0, "bytes": 0} for name in sources}
        self.facts: dict[str, Any] = {
            name: {"taken": self._taken[name], "facts": source.facts} for name, source in sources.items()
        }

        self._last = next(iter(sources))

    @property
    def file(self) -> str:
        """That of the source which gave the last document."""
        return self._sources[self._last].file

    def __iter__(self) -> Iterator[Text]:
        documents = {name: iter(source) for name, source in self._sources.items()}
        while True:
            behind = min(self._taken, key=lambda name: self._taken[name]["bytes"] / self._weights[name])
            document, self._last = next(documents[behind], None), behind
            if document is None:
                return
            self._taken[behind]["documents"] += 1
            self._taken[behind]["bytes"] += len(document)
            yield document


class Limited:
    """The first documents of a source, up to a number of bytes or documents; the last one may be cut."""

    def __init__(self, source: Source, limit: LimitConfig) -> None:
        self._source, self._limit = source, limit
        self.facts = source.facts

    @property
    def file(self) -> str:
        """That of the source."""
        return self._source.file

    def __iter__(self) -> Iterator[Text]:
        left = self._limit.bytes
        for count, document in enumerate(self._source):
            if count == self._limit.documents or left == 0:
                return
            yield document if left is None else _start(document, left)
            left = None if left is None else max(0, left - len(document))


def _start(document: Text, most: int) -> Text:
    """At most so many bytes of a document, and whole characters."""
    end = min(most, len(document))
    while 0 < end < len(document) and document[end] & 0b1100_0000 == 0b1000_0000:
        end -= 1
    return document[:end]
