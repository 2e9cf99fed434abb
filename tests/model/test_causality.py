"""No token hears of a later one, in any combination of kinds; and the test would notice."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from reprolm.model import attention
from reprolm.model.transformer import Transformer
from tests.model.combinations import ALL, VOCABULARY, built, tokens

LENGTH = 16


@torch.no_grad()
def check_changes(model: Transformer) -> None:
    """Another token at t leaves every logit before t as it was, to the bit, and moves those from t on.

    In a mixture of experts the bits may differ, nothing else: a product of more rows rounds otherwise, and
    how many tokens an expert is given is a matter of all of them.
    """
    x = tokens(1, LENGTH)
    before = model(x)
    allowed = 1e-5 if model.config.feedforward == "moe" else 0.0
    for t in (1, 8, LENGTH - 1):
        changed = x.clone()
        changed[0, t] = (x[0, t] + 1) % VOCABULARY
        after = model(changed)
        assert float((before - after)[:, :t].abs().max()) <= allowed, f"a logit before {t} changed"
        assert float((before - after)[:, t:].abs().max()) > 1e-4, f"no logit from {t} on changed"


def check_gradients(model: Transformer) -> None:
    """The logits at t have no gradient with respect to embeddings after t, and some at t."""
    held: list[Tensor] = []
    hook = model.embedding.register_forward_hook(
        lambda _, __, y: held.append(y.detach().requires_grad_()) or held[-1]
    )
    logits = model(tokens(1, LENGTH))
    hook.remove()
    for t in (0, 7, LENGTH - 2):
        (gradient,) = torch.autograd.grad(logits[0, t].square().sum(), held[0], retain_graph=True)
        assert not gradient[0, t + 1 :].any(), f"the logits at {t} depend on later tokens"
        assert gradient[0, : t + 1].any(), f"the logits at {t} depend on nothing"


@ALL
def test_a_token_changes_no_logit_before_it_and_some_after(kinds: dict[str, Any]) -> None:
    check_changes(built(**kinds))


@ALL
def test_no_gradient_flows_to_later_tokens(kinds: dict[str, Any]) -> None:
    check_gradients(built(**kinds))


def missing(T: int) -> Tensor:
    return torch.ones(T, T, dtype=torch.bool)


def off_by_one(T: int) -> Tensor:
    return torch.ones(T, T, dtype=torch.bool).tril(1)


def inverted(T: int) -> Tensor:
    return torch.ones(T, T, dtype=torch.bool).triu()


@pytest.mark.parametrize("fault", [missing, off_by_one, inverted])
@pytest.mark.parametrize("check", [check_changes, check_gradients])
def test_a_planted_fault_of_the_mask_is_noticed(
    fault: Callable[[int], Tensor], check: Callable[[Transformer], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = attention.scaled_dot_product_attention

    def wrong(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
        return right(q, k, v, **options | {"is_causal": False, "attn_mask": fault(q.shape[-2])})

    check(built())
    monkeypatch.setattr(attention, "scaled_dot_product_attention", wrong)
    with pytest.raises(AssertionError, match="logit"):
        check(built())
