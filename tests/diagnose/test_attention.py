"""How widely attention looks, against what is known by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from reprolm.data.shards import Tokens
from reprolm.diagnose.attention import entropies, normalised_entropy
from reprolm.model.initialise import initialise
from reprolm.model.transformer import Transformer
from reprolm.train.watch import MOST_PROBE_TOKENS, PROBE_WINDOWS, probe
from tests.settings import model_config
from tests.tokens import VOCABULARY, patterned, write_tokens


def tokens(directory: Path, count: int) -> Tokens:
    write_tokens(directory / "tokens", train=patterned(count), validation=patterned(300, seed=1))
    return Tokens(directory / "tokens", "train")


def model(**changes: object) -> Transformer:
    return initialise(Transformer(model_config(**changes), VOCABULARY), 3)


def test_maps_that_look_at_all_alike_have_1_and_those_that_look_at_one_have_0() -> None:
    T = 7
    uniform = torch.ones(T, T).tril() / torch.arange(1, T + 1)[:, None]
    one = torch.eye(T).roll(1, 0).tril() + torch.eye(T, T)[:, :1] * (torch.arange(T) == 0)[:, None]
    maps = torch.stack([uniform, torch.eye(T), one])[None].expand(5, 3, T, T)
    assert normalised_entropy(maps).tolist() == pytest.approx([1.0, 0.0, 0.0])


def test_a_map_that_is_known_has_the_entropy_of_the_formula() -> None:
    maps = torch.tensor([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.5, 0.25, 0.25]])[None, None]
    second = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75)) / math.log(2)
    third = 1.5 * math.log(2) / math.log(3)
    assert normalised_entropy(maps).tolist() == pytest.approx([(second + third) / 2])


def test_alibi_without_scores_has_the_entropy_of_a_geometric_distribution(tmp_path: Path) -> None:
    alone = model(position="alibi", qk_norm=False)
    for block in alone.blocks:
        torch.nn.init.zeros_(block.attention.query.weight)
    found = entropies(alone, probe(tokens(tmp_path, 3000), alone.config.context_length))
    heads, T = alone.config.n_heads, min(alone.config.context_length, MOST_PROBE_TOKENS)
    for layer in found:
        for head, entropy in enumerate(layer, 1):
            ratio = math.exp(-(2.0 ** (-8 * head / heads)))
            wanted = []
            for t in range(1, T):
                shares = ratio ** np.arange(t + 1) * (1 - ratio) / (1 - ratio ** (t + 1))
                wanted.append(-(shares * np.log(shares)).sum() / math.log(t + 1))
            assert entropy == pytest.approx(np.mean(wanted), abs=1e-5)


@pytest.mark.parametrize(("factor", "low", "high"), [(0.0, 0.9999, 1.0001), (1e4, 0.0, 0.05)])
def test_scores_without_difference_look_at_all_and_huge_ones_at_one(
    tmp_path: Path, factor: float, low: float, high: float
) -> None:
    changed = model(qk_norm=False)
    for block in changed.blocks:
        block.attention.query.weight.data *= factor
    found = entropies(changed, probe(tokens(tmp_path, 3000), changed.config.context_length))
    assert [len(layer) for layer in found] == [changed.config.n_heads] * changed.config.n_layers
    assert all(low <= entropy <= high for layer in found for entropy in layer)


def test_a_probe_changes_nothing_and_sees_the_same_each_time(tmp_path: Path) -> None:
    training = model(dropout=0.5).train()
    before = {name: tensor.clone() for name, tensor in training.state_dict().items()}
    state = torch.get_rng_state()
    windows = probe(tokens(tmp_path, 3000), training.config.context_length)
    assert entropies(training, windows) == entropies(training, windows)
    assert training.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in training.state_dict().items())


@pytest.mark.parametrize(("count", "shape"), [(3000, None), (5, (1, 5)), (1, (1, 1))])
def test_a_short_text_is_taken_whole(tmp_path: Path, count: int, shape: tuple[int, int] | None) -> None:
    alone = model()
    length = min(alone.config.context_length, MOST_PROBE_TOKENS)
    windows = probe(tokens(tmp_path, count), alone.config.context_length)
    assert tuple(windows.shape) == (shape or (PROBE_WINDOWS, length))
    assert bool(entropies(alone, windows)) == (count > 1)
