"""One layer: attention, then feed-forward, each added to the residual stream."""

from jaxtyping import Float
from torch import Tensor, nn

from reprolm.model.attention import Attention, Context
from reprolm.model.config import ModelConfig
from reprolm.model.feedforward import feedforward
from reprolm.model.norm import norm


class Block(nn.Module):
    """z = x + attention(norm(x)); y = z + feedforward(norm(z)) (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = norm(config.d_model, config)
        self.attention = Attention(config, layer)
        self.feedforward_norm = norm(config.d_model, config)
        self.feedforward = feedforward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        """The residual stream after this layer."""
        x = x + self.dropout(self.attention(self.attention_norm(x), context))
        y: Tensor = x + self.dropout(self.feedforward(self.feedforward_norm(x)))
        return y
