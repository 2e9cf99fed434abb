"""Byte-level byte-pair encoding (Sennrich et al., arXiv:1508.07909; GPT-2) by the package `tokenizers`."""

from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
import tokenizers

from reprolm.errors import Exit, refuse
from reprolm.tokenizers.bytelevel import byte_characters
from reprolm.tokenizers.config import TokenizerConfig
from reprolm.tokenizers.interface import END_OF_DOCUMENT, FILE, Ids, Tokenizer


class HuggingFaceTokenizer(Tokenizer):
    """A byte-level tokenizer that `tokenizers` can load; ids as it gives them."""

    uses_all_cores = True

    def __init__(self, serialized: str) -> None:
        self._inner = tokenizers.Tokenizer.from_str(serialized)
        # a special entry that is spelled out in a text is text
        self._inner.encode_special_tokens = True
        specials = self._inner.get_added_tokens_decoder()
        characters = byte_characters()
        try:
            entries = [
                b"" if i in specials else bytes(characters[c] for c in self._inner.id_to_token(i) or "")
                for i in range(self._inner.get_vocab_size())
            ]
        except (KeyError, TypeError) as error:
            raise refuse(
                FILE, "is not byte-level", got=error, want="a byte-level vocabulary", exit=Exit.INTEGRITY
            ) from error
        super().__init__(entries, self._inner.token_to_id(END_OF_DOCUMENT), serialized)

    @classmethod
    def train(cls, texts: Iterable[str], config: TokenizerConfig) -> Self:
        """Learns merges until the vocabulary has `tokenizer.vocab_size` entries.

        Raises:
            ReprolmError: the text yields fewer (exit 65).
        """
        level = tokenizers.pre_tokenizers.ByteLevel
        inner = tokenizers.Tokenizer(tokenizers.models.BPE())
        inner.pre_tokenizer = level(add_prefix_space=False, use_regex=True)
        inner.decoder = tokenizers.decoders.ByteLevel()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=config.vocab_size,
            min_frequency=config.huggingface.min_frequency,
            special_tokens=[END_OF_DOCUMENT] * config.end_of_document,
            initial_alphabet=level.alphabet(),
            show_progress=False,
        )
        inner.train_from_iterator(texts, trainer)
        reached = inner.get_vocab_size()
        if reached < config.vocab_size:
            raise refuse(
                "tokenizer.vocab_size",
                "the train split yields a smaller vocabulary",
                got=config.vocab_size,
                want=f"at most {reached}, more text, or a lower tokenizer.huggingface.min_frequency",
            )
        return cls(inner.to_str(pretty=True))

    def encode_many(self, texts: Sequence[str]) -> list[Ids]:
        """The ids of each text, on all cores."""
        encodings = self._inner.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.uint32) for encoding in encodings]
