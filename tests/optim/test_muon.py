"""Muon."""

import pytest
import torch

from reprolm.optim.muon import Muon, orthogonalised


def matrix(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(32, 32), (32, 64), (96, 32), (48, 32)])
def test_the_step_has_singular_values_near_one_and_the_directions_of_the_matrix(
    shape: tuple[int, int],
) -> None:
    x = matrix(*shape)
    y = orthogonalised(x[None], steps=8)[0]
    u, _, v = torch.linalg.svd(x, full_matrices=False)
    assert float((torch.linalg.svdvals(y) - 1).abs().max()) < 0.4
    assert float((u.T @ y @ v.T).diagonal().min()) > 0.6


def test_it_agrees_with_the_muon_of_torch_on_a_square_matrix() -> None:
    ours, theirs = (torch.nn.Parameter(matrix(24, 24)) for _ in range(2))
    mine = Muon([ours], lr=0.02, momentum=0.9, weight_decay=0.1, steps=5)
    foreign = torch.optim.Muon([theirs], lr=0.02, momentum=0.9, weight_decay=0.1, ns_steps=5, nesterov=True)
    for step in range(6):
        for weight in (ours, theirs):
            weight.grad = matrix(24, 24, seed=step + 1)
        mine.step()
        foreign.step()
    # torch iterates in bfloat16
    assert (ours - theirs).abs().max().item() < 2e-3
    assert (ours - matrix(24, 24)).abs().max().item() > 1e-2


def test_a_long_matrix_is_stepped_as_squares() -> None:
    tall, squares = (
        torch.nn.Parameter(matrix(64, 32)),
        [torch.nn.Parameter(matrix(64, 32)[i : i + 32]) for i in (0, 32)],
    )
    gradient = matrix(64, 32, seed=9)
    tall.grad = gradient
    for i, square in enumerate(squares):
        square.grad = gradient[32 * i : 32 * i + 32]
    Muon([tall], lr=0.1, momentum=0.9, weight_decay=0.0, steps=5).step()
    Muon(squares, lr=0.1, momentum=0.9, weight_decay=0.0, steps=5).step()
    assert torch.allclose(tall, torch.cat(list(squares)), atol=1e-5)


def test_a_wide_matrix_is_stepped_as_its_transpose_is() -> None:
    wide, tall = torch.nn.Parameter(matrix(32, 64)), torch.nn.Parameter(matrix(32, 64).T.contiguous())
    gradient = matrix(32, 64, seed=9)
    wide.grad, tall.grad = gradient, gradient.T.contiguous()
    for weight in (wide, tall):
        Muon([weight], lr=0.1, momentum=0.9, weight_decay=0.0, steps=5).step()
    assert torch.allclose(wide, tall.T, atol=1e-5)
