"""The section `encode`."""

from typing import Annotated

from pydantic import Field

from reprolm.config import Config


class EncodeConfig(Config):
    """The section `encode`; a file of tokens holds at most `shard_tokens` of them."""

    shard_tokens: Annotated[int, Field(ge=1)]
