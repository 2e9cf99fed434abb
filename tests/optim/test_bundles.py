"""What one call steps."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from reprolm.optim.adamw import AdamW
from reprolm.optim.bundles import bundles
from reprolm.optim.lion import Lion
from tests.optim.weights import distance, put_gradients, weights


def test_a_cpu_takes_tensors_one_by_one_and_another_device_all_at_once() -> None:
    here = weights()
    put_gradients(here, 0)
    there = [nn.Parameter(torch.empty_like(weight, device="meta")) for weight in here]
    for weight in there:
        weight.grad = torch.empty_like(weight)
    assert [len(list_) for list_, _ in bundles({"params": here})] == [1, 1, 1]
    assert [len(list_) for list_, _ in bundles({"params": there})] == [3]
    here[1].grad = there[1].grad = None
    assert [[id(w) for w in list_] for list_, _ in bundles({"params": there})] == [
        [id(there[0]), id(there[2])]
    ]
    assert not list(bundles({"params": [weights()[0]]}))


def whole(group: dict[str, Any]) -> Iterator[tuple[list[torch.Tensor], list[torch.Tensor]]]:
    """All in one list, as on a GPU."""
    yield group["params"], [weight.grad for weight in group["params"]]


@pytest.mark.parametrize(("kind", "more"), [(AdamW, {"eps": 1e-8, "amsgrad": True}), (Lion, {})])
def test_how_tensors_are_bundled_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, kind: type[AdamW] | type[Lion], more: dict[str, Any]
) -> None:
    results = []
    for _ in range(2):
        tensors = weights()
        optimizer = kind(tensors, lr=0.1, betas=(0.9, 0.95), weight_decay=0.1, **more)
        for step in range(5):
            put_gradients(tensors, step)
            optimizer.step()
        results.append(tensors)
        monkeypatch.setattr(f"{kind.__module__}.bundles", whole)
    assert distance(*results) == 0
