"""Lion."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from reprolm.optim.lion import Lion
from tests.optim.weights import distance, put_gradients, weights

Array = NDArray[np.float64]


class Reference:
    """Algorithm 2 of arXiv:2302.06675, with its names."""

    def __init__(self, theta: Array, eta: float, lam: float, betas: tuple[float, float]) -> None:
        self.theta, self.m, self.eta, self.lam, self.betas = theta, np.zeros_like(theta), eta, lam, betas

    def update(self, g: Array) -> None:
        beta1, beta2 = self.betas
        c = beta1 * self.m + (1 - beta1) * g
        self.theta = self.theta - self.eta * (np.sign(c) + self.lam * self.theta)
        self.m = beta2 * self.m + (1 - beta2) * g


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.95, 0.98), (0.0, 0.5)])
def test_it_is_the_algorithm_of_the_paper(betas: tuple[float, float], weight_decay: float) -> None:
    ours, lr = weights(torch.float64), 1e-3
    theirs = [Reference(w.detach().numpy().copy(), lr, weight_decay, betas) for w in ours]
    optimizer = Lion(ours, lr=lr, betas=betas, weight_decay=weight_decay)
    for step in range(200):
        put_gradients(ours, step)
        optimizer.step()
        for own, reference in zip(ours, theirs, strict=True):
            assert own.grad is not None
            reference.update(own.grad.numpy())
    assert distance(ours, [torch.from_numpy(reference.theta) for reference in theirs]) < 1e-12
    assert distance(ours, weights(torch.float64)) > 0.01


def test_each_number_moves_by_the_learning_rate_whatever_its_gradient() -> None:
    ours, before = weights(), weights()
    put_gradients(ours, 1)
    Lion(ours, lr=0.25, betas=(0.9, 0.99), weight_decay=0.0).step()
    moved = [(a - b).abs() for a, b in zip(ours, before, strict=True)]
    assert all(torch.allclose(m, torch.full_like(m, 0.25)) for m in moved)
