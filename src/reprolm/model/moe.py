"""A mixture of experts: each token goes through the few feed-forwards that a router chooses for it."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from reprolm.model.config import ModelConfig
from reprolm.model.context import Context, Routing


class MixtureOfExperts(nn.Module):
    """y = Σ p_e · expert_e(x) over the `top_k` likeliest experts, p = softmax(router(x)).

    Shazeer et al. 2017, arXiv:1701.06538; with one expert a token, Switch (Fedus et al. 2021,
    arXiv:2101.03961); with `normalised` weights, Mixtral (Jiang et al. 2024, arXiv:2401.04088). Capacity is
    unlimited: no token is dropped, and a token's result does not depend on its neighbours.
    """

    def __init__(self, config: ModelConfig, expert: Callable[[ModelConfig], nn.Module]) -> None:
        super().__init__()
        self.options = config.moe
        self.router = nn.Linear(config.d_model, config.moe.n_experts, bias=False)
        self.experts = nn.ModuleList(expert(config) for _ in range(config.moe.n_experts))

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        """Each token through its experts."""
        rows = x.flatten(0, 1)
        # float32, as Switch found that routing in half precision diverges
        p = self.router(rows).float().softmax(-1)  # N E
        weights, chosen = p.topk(self.options.top_k, dim=-1)  # N k
        if self.options.normalised:
            weights = weights / weights.sum(-1, keepdim=True)
        if context.trace is not None:
            context.trace.routing.append(_routing(p, chosen))
        y = torch.zeros_like(rows)
        for index, expert in enumerate(self.experts):
            row, slot = torch.where(chosen == index)
            share = weights[row, slot, None].to(rows.dtype)
            y = y.index_add(0, row, (share * expert(rows[row], context)).to(y.dtype))
        return y.view_as(x)


def _routing(p: Float[Tensor, "N E"], chosen: Int[Tensor, "N k"]) -> Routing:
    """The load of the experts, and the balance loss of Switch, generalised to k choices."""
    E = p.shape[-1]
    load = torch.nn.functional.one_hot(chosen, E).float().mean(dim=(0, 1))
    return Routing(load, E * (load * p.mean(0)).sum())
