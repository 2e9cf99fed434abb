"""Readable text for the bundle of a run that stopped: the record of a run, on which no result depends."""

from collections.abc import Callable
from pathlib import Path

from reprolm.errors import ReprolmError


def decoder(tokenizer: Path, digest: str) -> Callable[[list[int]], str]:
    """Decodes tokens by a published tokenizer, loaded when it is needed; as numbers where that is another."""

    def decode(ids: list[int]) -> str:
        from reprolm.tokenizers.load import load

        try:
            loaded = load(tokenizer)
        except ReprolmError:
            return str(ids)
        return loaded.decode(ids) if loaded.digest == digest else str(ids)

    return decode
