"""Which optimizer moves which tensor, and their state by name."""

import pytest
import torch

from reprolm.model.initialise import initialise
from reprolm.model.transformer import Transformer
from reprolm.optim.groups import optimizers, put_state_tensors, set_share, state_tensors
from tests.settings import model_config, train_config

KINDS = pytest.mark.parametrize("kind", ["adamw", "muon"])


def made(kind: str, seed: int = 1) -> tuple[Transformer, list[torch.optim.Optimizer]]:
    model, config = initialise(Transformer(model_config(), 30), seed), train_config(optimizer=kind)
    return model, optimizers(model, kind, (0.01, 0.1), config.adam, config.muon)


@KINDS
def test_every_tensor_is_moved_by_one_optimizer_and_only_matrices_decay(kind: str) -> None:
    model, all_of_them = made(kind)
    groups = [group for optimizer in all_of_them for group in optimizer.param_groups]
    moved = [id(t) for group in groups for t in group["params"]]
    assert sorted(moved) == sorted(id(t) for t in model.parameters())
    assert all((group["weight_decay"] > 0) == (t.ndim > 1) for group in groups for t in group["params"])


def test_muon_takes_the_matrices_of_the_blocks_alone() -> None:
    model, (adamw, muon) = made("muon")
    names = {id(t): name for name, t in model.named_parameters()}
    taken = {names[id(t)] for t in muon.param_groups[0]["params"]}
    assert taken == {
        name for name, t in model.named_parameters() if name.startswith("blocks.") and t.ndim == 2
    }
    assert "embedding.weight" in {names[id(t)] for group in adamw.param_groups for t in group["params"]}


@KINDS
def test_state_that_is_saved_and_put_back_continues_the_same_way(kind: str) -> None:
    def steps(model: Transformer, optimizers: list[torch.optim.Optimizer], seeds: range) -> None:
        for seed in seeds:
            for t in model.parameters():
                t.grad = torch.randn(t.shape, generator=torch.Generator().manual_seed(seed))
            for optimizer in optimizers:
                optimizer.step()

    model, first = made(kind)
    steps(model, first, range(3))
    saved = {name: t.clone() for name, t in state_tensors(first, model).items()}
    weights = {name: t.clone() for name, t in model.state_dict().items()}
    steps(model, first, range(3, 6))
    other, second = made(kind, seed=2)
    other.load_state_dict(weights)
    put_state_tensors(second, other, saved)
    steps(other, second, range(3, 6))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_a_share_scales_every_peak() -> None:
    _, all_of_them = made("muon")
    set_share(all_of_them, 0.5)
    rates = [group["lr"] for optimizer in all_of_them for group in optimizer.param_groups]
    assert rates == [0.005, 0.005, train_config().muon.learning_rate / 2]
