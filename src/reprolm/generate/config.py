"""Section `sample`: what the model is asked to continue, and how the next token is drawn."""

from pydantic import Field

from reprolm.config import Config


class SampleConfig(Config):
    """Prompts and the way to sample; `null` switches top-k or top-p off."""

    prompts: tuple[str, ...] = Field(strict=False, min_length=1)
    draws: int = Field(ge=1)
    max_new_tokens: int = Field(ge=1)
    temperature: float = Field(ge=0)
    top_k: int | None = Field(ge=1)
    top_p: float | None = Field(gt=0, le=1)
    dropout_active: bool
    """Whether the model's dropout goes on while it writes: a slip of some, kept for those who made it."""
