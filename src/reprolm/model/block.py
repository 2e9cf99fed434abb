"""One layer: attention, then feed-forward, each added to the residual stream."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from reprolm.model.attention import Attention
from reprolm.model.config import ModelConfig
from reprolm.model.context import Context
from reprolm.model.feedforward import feedforward
from reprolm.model.norm import norm

Part = Callable[[Tensor], Tensor]


def pre(x: Tensor, part: Part, before: Part, after: Part) -> Tensor:  # noqa: ARG001
    """x + part(norm(x)) (Xiong et al. 2020, arXiv:2002.04745)."""
    return x + part(before(x))


def post(x: Tensor, part: Part, before: Part, after: Part) -> Tensor:  # noqa: ARG001
    """norm(x + part(x)) (Vaswani et al. 2017, arXiv:1706.03762)."""
    return after(x + part(x))


def sandwich(x: Tensor, part: Part, before: Part, after: Part) -> Tensor:
    """x + norm(part(norm(x))) (Ding et al. 2021, arXiv:2105.13290)."""
    return x + after(part(before(x)))


PLACEMENTS = {"pre": pre, "post": post, "sandwich": sandwich}


class Block(nn.Module):
    """Attention and feed-forward, each with its norms where `model.norm_placement` puts them."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.place = PLACEMENTS[config.norm_placement]
        before, after = config.norm_placement != "post", config.norm_placement != "pre"

        def norm_if(there: bool) -> nn.Module:
            return norm(config.d_model, config) if there else nn.Identity()

        self.attention_norm, self.attention_output_norm = norm_if(before), norm_if(after)
        self.attention = Attention(config, layer)
        self.feedforward_norm, self.feedforward_output_norm = norm_if(before), norm_if(after)
        self.feedforward = feedforward(config)
        self.dropout = nn.Dropout(config.dropout) if config.dropout else nn.Identity()

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        """The residual stream after this layer."""

        def attend(y: Tensor) -> Tensor:
            mixed: Tensor = self.dropout(self.attention(y, context))
            return mixed

        def think(y: Tensor) -> Tensor:
            thought: Tensor = self.dropout(self.feedforward(y, context))
            return thought

        x = self.place(x, attend, self.attention_norm, self.attention_output_norm)
        return self.place(x, think, self.feedforward_norm, self.feedforward_output_norm)
