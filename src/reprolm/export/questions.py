"""What an exported folder is asked, and the model and the tokenizer that it came from as well."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from reprolm.data.shards import Tokens
from reprolm.errors import ReprolmError
from reprolm.model.transformer import Transformer
from reprolm.seeds import stream
from reprolm.store import MANIFEST, verified
from reprolm.tokenizers.interface import END_OF_DOCUMENT, Tokenizer

GREEDY_TOKENS = 64
LONGEST_PROMPT = 64
MOST_TOKENS, MOST_LOGITS = 1 << 12, 1 << 25
TEXTS = (
    "", " ", "The quick brown fox.", "  two  spaces,\ttabs\r\nand lines\n\n\n", f"a{END_OF_DOCUMENT} b",
    "don't I'll we've 3.14159 1e-5 x_1 == y[0];", "naïve façade Straße Ω≈ç√ e\u0301", "Студент на экзамене",
    "東京 नमस्ते مرحبا", "🙂👩\u200d👩\u200d👧 \u00a0\u2003\ufeff|\x00\x7f|",
)  # fmt: skip


@dataclass(frozen=True)
class Questions:
    """The logits and the loss of windows, `steps` greedy tokens after prompts, the ids of texts."""

    source: str
    """Where windows and prompts are from: `validation` or `random` tokens."""
    windows: Int[Tensor, "N T"]
    prompts: Int[Tensor, "P U"]
    steps: int
    texts: list[str]

    def json(self) -> str:
        """As JSON, for another process."""
        tensors = {"windows": self.windows.tolist(), "prompts": self.prompts.tolist()}
        return json.dumps({**tensors, "steps": self.steps, "texts": self.texts})


def questions(model: Transformer, tokenizer: Tokenizer, tokens: Path) -> Questions:
    """Questions on validation text, where `tokens` holds that of this tokenizer, else on random tokens.

    Raises:
        ReprolmError: the tokens are damaged (exit 76).
    """
    length = model.config.context_length
    most = min(MOST_TOKENS // length, MOST_LOGITS // (length * model.vocab_size))
    least = -(-2 * GREEDY_TOKENS // length)  # enough for all prompts
    source, windows = _windows(length, range(least, max(least, most) + 1), tokenizer, tokens)
    prompt = min(LONGEST_PROMPT, max(1, length // 2))
    steps = min(GREEDY_TOKENS, max(1, length - prompt))
    rows = -(-GREEDY_TOKENS // steps)
    prompts = windows.flatten()[: rows * prompt].view(-1, prompt)
    texts = [*TEXTS, tokenizer.decode(windows[0].tolist())]
    return Questions(source, windows, prompts, steps, [_known(tokenizer, text) for text in texts])


def _windows(
    length: int, counts: range, tokenizer: Tokenizer, tokens: Path
) -> tuple[str, Int[Tensor, "N T"]]:
    if (tokens / MANIFEST).is_file():
        validation = Tokens(verified(tokens), "validation")
        count = min(counts[-1], len(validation) // length)
        if count in counts and validation.tokenizer_digest == tokenizer.digest:
            return "validation", torch.from_numpy(validation[: count * length]).view(count, length)
    generator = torch.Generator().manual_seed(stream(0, "export"))
    return "random", torch.randint(tokenizer.vocab_size, (counts[-1], length), generator=generator)


def _known(tokenizer: Tokenizer, text: str) -> str:
    """What the tokenizer can encode of a text: a vocabulary of characters may lack some."""

    def encodes(part: str) -> bool:
        try:
            tokenizer.encode(part)
        except ReprolmError:
            return False
        return True

    return text if encodes(text) else "".join(filter(encodes, text))
