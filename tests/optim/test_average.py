"""The average of the weights."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from reprolm.optim.average import Average


def moved(model: nn.Module, step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator))


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999])
def test_it_is_that_of_torch_with_the_same_decays(decay: float) -> None:
    model = nn.Linear(4, 3)
    average, steps = Average(model, decay), 0

    def mixed(old: torch.Tensor, new: torch.Tensor, _: torch.Tensor | int) -> torch.Tensor:
        share = min(decay, (1 + steps) / (10 + steps))
        return share * old + (1 - share) * new

    foreign = AveragedModel(model, avg_fn=mixed)
    foreign.update_parameters(model)  # the first update copies the initial weights
    for steps in range(1, 60):
        moved(model, steps)
        average.update(steps)
        foreign.update_parameters(model)
    for name, weight in foreign.module.named_parameters():
        assert torch.allclose(average.tensors[name], weight, atol=1e-5)


def test_it_follows_weights_that_stand_still() -> None:
    model = nn.Linear(4, 3)
    average = Average(model, 0.99)
    moved(model, 1)
    for step in range(1, 2000):
        average.update(step)
    assert torch.allclose(average.tensors["weight"], model.weight, atol=1e-6)


def test_the_weights_are_bit_by_bit_the_same_after_the_average_was_in_their_place() -> None:
    model = nn.Linear(4, 3)
    average = Average(model, 0.9)
    moved(model, 1)
    average.update(1)
    own, mean = model.weight.detach().clone(), average.tensors["weight"].clone()
    with average.in_place():
        assert torch.equal(model.weight, mean)
    assert torch.equal(model.weight, own)
    assert torch.equal(average.tensors["weight"], mean)
    assert not torch.equal(own, mean)


def test_what_was_saved_is_put_back() -> None:
    one, other = Average(nn.Linear(4, 3), 0.9), Average(nn.Linear(4, 3), 0.9)
    other.put({name: tensor.clone() for name, tensor in one.tensors.items()})
    assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)
