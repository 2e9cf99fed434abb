"""Which optimizer moves which tensor, and their state by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from reprolm.config import words
from reprolm.model.initialise import initialise
from reprolm.model.storage import read_tensors, write_tensors
from reprolm.model.transformer import Transformer
from reprolm.optim.config import OptimConfig
from reprolm.optim.groups import optimizers, put_state_tensors, set_share, state_tensors
from tests.optim.weights import distance, put_gradients
from tests.settings import model_config, raw, train_config

KINDS = pytest.mark.parametrize("kind", words(OptimConfig.model_fields["optimizer"].annotation))


def made(kind: str, seed: int = 1, **changes: Any) -> tuple[Transformer, list[torch.optim.Optimizer]]:
    model = initialise(Transformer(model_config(), 30), seed)
    values = {"learning_rate": 0.01, "weight_decay": 0.1} | changes
    return model, optimizers(model, train_config(optimizer=kind, **values))


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


def steps(model: Transformer, optimizers: list[torch.optim.Optimizer], seeds: range) -> None:
    for seed in seeds:
        put_gradients(model.parameters(), seed)
        for optimizer in optimizers:
            optimizer.step()


@KINDS
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("nesterov", [False, True])
def test_state_that_is_saved_and_put_back_continues_the_same_way(
    tmp_path: Path, kind: str, amsgrad: bool, nesterov: bool
) -> None:
    changes = {
        "adam": raw("train")["adam"] | {"amsgrad": amsgrad},
        "sgd": {"momentum": 0.9, "nesterov": nesterov},
    }
    model, first = made(kind, **changes)
    steps(model, first, range(3))
    write_tensors(tmp_path / "optimizer.safetensors", state_tensors(first, model))
    weights = {name: t.clone() for name, t in model.state_dict().items()}
    steps(model, first, range(3, 6))
    other, second = made(kind, seed=2, **changes)
    other.load_state_dict(weights)
    put_state_tensors(second, other, read_tensors(tmp_path / "optimizer.safetensors"))
    steps(other, second, range(3, 6))
    assert distance(model.parameters(), other.parameters()) == 0


PEERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW, "adamw_scratch": torch.optim.AdamW, "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
}  # fmt: skip


@pytest.mark.parametrize("kind", PEERS)
def test_options_reach_the_optimizer(kind: str) -> None:
    adam = {"beta1": 0.8, "beta2": 0.7, "epsilon": 1e-3, "amsgrad": True}
    sgd = {"momentum": 0.6, "nesterov": True}
    ours, mine = made(kind, adam=adam, sgd=sgd)
    theirs, _ = made(kind)
    options = sgd if kind == "sgd" else {"betas": (0.8, 0.7), "eps": 1e-3, "amsgrad": True}
    parts = [[t for t in theirs.parameters() if (t.ndim > 1) is matrix] for matrix in (True, False)]
    split = [{"params": parts[0], "weight_decay": 0.1}, {"params": parts[1], "weight_decay": 0.0}]
    steps(ours, mine, range(4))
    steps(theirs, [PEERS[kind](split, lr=0.01, **options)], range(4))
    assert distance(ours.parameters(), theirs.parameters()) < 1e-6
    assert distance(ours.parameters(), made(kind)[0].parameters()) > 0.01


def test_a_share_scales_every_peak() -> None:
    _, all_of_them = made("muon")
    set_share(all_of_them, 0.5)
    rates = [group["lr"] for optimizer in all_of_them for group in optimizer.param_groups]
    assert rates == [0.005, 0.005, train_config().muon.learning_rate / 2]
