"""The decoder: tokens to logits."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from reprolm.errors import Exit, refuse
from reprolm.model.attention import Context
from reprolm.model.block import Block
from reprolm.model.cache import Cache
from reprolm.model.config import ModelConfig
from reprolm.model.norm import norm
from reprolm.model.position import position


class Transformer(nn.Module):
    """Embedding, `n_layers` blocks, a final norm, and the head that turns channels into logits."""

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.config, self.vocab_size = config, vocab_size
        self.embedding = nn.Embedding(vocab_size, config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layers))
        self.norm = norm(config.d_model, config)
        self.head = nn.Linear(config.d_model, vocab_size, bias=False)
        if config.tie_embeddings:
            self.head.weight = self.embedding.weight
        self.position = position(config)

    def forward(
        self, tokens: Int[Tensor, "B T"], cache: Cache | None = None, last: int | None = None
    ) -> Float[Tensor, "B T V"]:
        """The logits of the token after each position (of the `last` positions alone, if given).

        Raises:
            ReprolmError: more tokens than the context holds (exit 65).
        """
        at = cache.length if cache else 0
        if at + tokens.shape[1] > self.config.context_length:
            want = f"at most model.context_length = {self.config.context_length}"
            raise refuse("tokens", "are too many", got=at + tokens.shape[1], want=want, exit=Exit.DATA)
        x = self.dropout(self.embedding(tokens))
        context = Context(self.position, at, cache)
        for block in self.blocks:
            x = block(x, context)
        if cache:
            cache.length += tokens.shape[1]
        logits: Tensor = self.head(self.norm(x if last is None else x[:, -last:]))
        return logits
