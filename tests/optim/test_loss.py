"""Cross-entropy from scratch."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from reprolm.optim import loss
from reprolm.optim.loss import Head, summed_nats

N, V, D = 23, 11, 6
CAPS = pytest.mark.parametrize("cap", [None, 3.0])
BIAS = pytest.mark.parametrize("bias", [False, True])


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five tokens at once, so that the last chunk has fewer."""
    monkeypatch.setattr(loss, "CHUNK_LOGITS", 5 * V)


def inputs(dtype: torch.dtype = torch.float32, size: float = 1.0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Hidden states, weight, bias, and targets of which some are none."""
    generator = torch.Generator().manual_seed(1)
    hidden, weight, bias = (
        (size * torch.randn(shape, generator=generator)).to(dtype).requires_grad_()
        for shape in ((N, D), (V, D), (V,))
    )
    targets = torch.randint(V, (N,), generator=generator)
    targets[[0, 7, N - 1]] = -100
    return hidden, weight, bias, targets


def of_torch(hidden: Tensor, head: Head, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The same from torch's parts, all logits at once."""
    logits = linear(hidden, head.weight, head.bias).float()
    if head.soft_cap is not None:
        logits = head.soft_cap * torch.tanh(logits / head.soft_cap)
    return tuple(cross_entropy(logits, targets, reduction=kind) for kind in ("sum", "none"))  # type: ignore[return-value]


def gradients(total: Tensor, tensors: list[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(0.37 * total, tensors))


@BIAS
@CAPS
@pytest.mark.parametrize("size", [1e-3, 1.0, 4.0])
def test_it_is_that_of_torch_with_its_gradients(cap: float | None, bias: bool, size: float) -> None:
    hidden, weight, b, targets = inputs(size=size)
    head, moved = Head(weight, b if bias else None, cap), [hidden, weight, b][: 3 if bias else 2]
    results = [kind(hidden, head, targets) for kind in (summed_nats, of_torch)]
    for ours, theirs in zip(*results, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    for ours, theirs in zip(*(gradients(total, moved) for total, _ in results), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-6, atol=1e-6 * max(1.0, theirs.abs().max().item()))


@BIAS
@CAPS
def test_its_gradients_are_the_slopes_of_its_values(cap: float | None, bias: bool) -> None:
    hidden, weight, b, targets = inputs(torch.float64)

    def total(hidden: Tensor, weight: Tensor, b: Tensor) -> Tensor:
        return summed_nats(hidden, Head(weight, b if bias else None, cap), targets)[0]

    assert torch.autograd.gradcheck(total, (hidden, weight, b) if bias else (hidden, weight, b.detach()))


@given(st.sampled_from([1e3, -1e3, 1e4]), st.integers(0, 2))
def test_it_is_finite_and_right_with_logits_of_a_thousand(size: float, target: int) -> None:
    hidden = torch.tensor([[1.0]], requires_grad=True)
    weight = torch.tensor([[size], [0.0], [-size]], requires_grad=True)
    total, _ = summed_nats(hidden, Head(weight), torch.tensor([target]))
    total.backward()  # type: ignore[no-untyped-call]
    logits = weight.detach()[:, 0].double()
    assert total.item() == pytest.approx((logits.max() - logits[target]).item(), abs=1e-6)
    winner = torch.nn.functional.one_hot(logits.argmax(), 3).double()
    expected = winner - torch.nn.functional.one_hot(torch.tensor(target), 3)
    assert weight.grad is not None
    assert torch.allclose(weight.grad[:, 0].double(), expected, atol=1e-6)


def test_the_order_of_chunks_and_their_size_change_nothing_but_rounding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hidden, weight, bias, targets = inputs()
    results = []
    for rows in (1, 2, N, 10 * N):
        monkeypatch.setattr(loss, "CHUNK_LOGITS", rows * V)
        total, nats = summed_nats(hidden, Head(weight, bias), targets)
        results.append([total, nats, *gradients(total, [hidden, weight, bias])])
    for other in results[1:]:
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(results[0], other, strict=True))


def test_targets_that_are_none_count_nothing() -> None:
    hidden, weight, bias, targets = inputs()
    counted = targets != -100
    total, nats = summed_nats(hidden, Head(weight, bias), targets)
    alone, some = summed_nats(hidden[counted], Head(weight, bias), targets[counted])
    assert torch.allclose(total, alone)
    assert torch.allclose(nats[counted], some)
    assert not nats[~counted].any()
    (moved,) = gradients(total, [hidden])
    assert not moved[~counted].any()
    total, _ = summed_nats(hidden, Head(weight, bias), torch.full_like(targets, -100))
    assert total.item() == 0
    assert not any(gradient.any() for gradient in gradients(total, [hidden, weight, bias]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_used_for_products_alone(dtype: torch.dtype) -> None:
    hidden, weight, bias, targets = inputs()
    head = Head(weight, bias)
    with torch.autocast("cpu", dtype):
        total, nats = summed_nats(hidden, head, targets)
    exact, _ = of_torch(hidden.to(dtype).float(), Head(weight.to(dtype).float(), bias), targets)
    assert total.dtype == nats.dtype == torch.float32
    assert total.item() == pytest.approx(exact.item(), rel=1e-3)
    ours = gradients(total, [hidden, weight, bias])
    theirs = gradients(of_torch(hidden, head, targets)[0], [hidden, weight, bias])
    assert all(gradient.dtype == torch.float32 for gradient in ours)
    assert all(
        torch.allclose(a, b, atol=0.02 * b.abs().max().item()) for a, b in zip(ours, theirs, strict=True)
    )


def test_gradients_of_half_precision_inputs_are_summed_in_float32() -> None:
    # in bfloat16, 128 + 0.5 is 128
    hidden = torch.ones(1000, 1, dtype=torch.bfloat16, requires_grad=True)
    weight = torch.zeros(2, 1, dtype=torch.bfloat16, requires_grad=True)
    total, nats = summed_nats(hidden, Head(weight), torch.zeros(1000, dtype=torch.int64))
    assert total.dtype == nats.dtype == torch.float32
    (moved,) = torch.autograd.grad(total, [weight])
    assert moved.dtype == torch.bfloat16
    assert moved.tolist() == [[-500.0], [500.0]]


def test_without_gradients_it_makes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden, weight, bias, targets = inputs()
    wanted, _ = summed_nats(hidden, Head(weight, bias), targets)
    products = []
    monkeypatch.setattr(loss, "_add_product", lambda *_: products.append(1))
    with torch.no_grad():
        total, nats = summed_nats(hidden, Head(weight, bias), targets)
    assert torch.equal(total, wanted)
    assert not total.requires_grad
    assert not nats.requires_grad
    assert not products


def test_a_frozen_head_gets_no_gradient() -> None:
    hidden, weight, bias, targets = inputs()
    total, _ = summed_nats(hidden, Head(weight.detach(), bias.detach()), targets)
    ours = gradients(total, [hidden])
    theirs = gradients(of_torch(hidden, Head(weight, bias), targets)[0], [hidden])
    assert torch.allclose(ours[0], theirs[0], atol=1e-6)


def test_it_never_holds_the_logits_of_all_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, make = [], loss._logits

    def watched(hidden: Tensor, head: Head) -> Tensor:
        logits = make(hidden, head)
        sizes.append(logits.numel())
        return logits

    monkeypatch.setattr(loss, "_logits", watched)
    hidden, weight, _, targets = inputs()
    summed_nats(hidden, Head(weight), targets)
    assert sizes == [5 * V] * 4 + [3 * V]
