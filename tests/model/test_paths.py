"""Attention three ways: fast, explicit, and through the cache; and compiled. All give the same logits."""

from typing import Any

import pytest
import torch

from reprolm.model.cache import Cache
from reprolm.model.context import Trace
from reprolm.model.transformer import Transformer
from tests.model.combinations import ALL, KINDS, built, tokens

LAYOUTS = pytest.mark.parametrize("n_kv_heads", [4, 2, 1], ids=["mha", "gqa", "mqa"])
POSITIONS = pytest.mark.parametrize("position", KINDS["position"])
COMPILED = pytest.mark.parametrize(
    ("position", "n_kv_heads"),
    [
        # each position and each layout once, as a graph takes seconds
        pytest.param(position, heads, marks=[] if i % 3 == j else pytest.mark.heavy)
        for i, position in enumerate(KINDS["position"])
        for j, heads in enumerate([4, 2, 1])
    ],
)


def parts(model: Transformer, x: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """The logits of x, read in parts through a cache."""
    cache = Cache(model.config, len(x), model.embedding.weight)
    return torch.cat([model(part, cache) for part in x.split(sizes, dim=1)], dim=1)


@ALL
def test_reading_in_parts_through_the_cache_gives_the_same_logits(kinds: dict[str, Any]) -> None:
    model, x = built(**kinds), tokens(3, 16)
    expected = model(x)
    for sizes in ([5, 3, 1, 1, 6], [1] * 16):
        assert torch.allclose(parts(model, x, sizes), expected, atol=3e-5)


@POSITIONS
@LAYOUTS
@pytest.mark.parametrize("qk_norm", [True, False])
def test_the_explicit_path_gives_the_same_logits_and_its_maps(
    position: str, n_kv_heads: int, qk_norm: bool
) -> None:
    model, x = built(position=position, n_kv_heads=n_kv_heads, qk_norm=qk_norm), tokens(3, 16)
    trace = Trace(maps=True)
    assert torch.allclose(model(x, trace=trace), model(x), atol=3e-5)
    assert len(trace.attention) == model.config.n_layers
    for maps in trace.attention:
        assert maps.shape == (3, 4, 16, 16)
        assert torch.allclose(maps.sum(-1), torch.ones(3, 4, 16))
        assert not maps.triu(1).any()


@POSITIONS
@LAYOUTS
def test_the_explicit_path_reads_the_cache_too(position: str, n_kv_heads: int) -> None:
    model, x = built(position=position, n_kv_heads=n_kv_heads), tokens(2, 16)
    cache, trace = Cache(model.config, 2, model.embedding.weight), Trace(maps=True)
    read = [model(part, cache, trace=trace) for part in x.split([9, 7], dim=1)]
    assert torch.allclose(torch.cat(read, dim=1), model(x), atol=3e-5)


@POSITIONS
@LAYOUTS
def test_a_document_does_not_hear_of_the_one_before(position: str, n_kv_heads: int) -> None:
    model, x = built(position=position, n_kv_heads=n_kv_heads), tokens(2, 12)
    documents = torch.tensor([[0] * 5 + [1] * 7, [0] * 1 + [1] * 11])
    isolated, trace = model(x, documents=documents), Trace(maps=True)
    assert torch.allclose(model(x, documents=documents, trace=trace), isolated, atol=3e-5)
    same = documents[:, :, None] == documents[:, None, :]
    assert all(not maps[~same[:, None].expand_as(maps)].any() for maps in trace.attention)
    assert torch.allclose(isolated[0, :5], model(x[:1, :5])[0], atol=3e-5)
    if position in ("rope", "alibi", "none"):  # these know distances alone
        assert torch.allclose(isolated[0, 5:], model(x[:1, 5:])[0], atol=3e-5)
    assert not torch.allclose(isolated[0, 5:], model(x)[0, 5:], atol=1e-3)


@COMPILED
def test_compiled_without_a_break_it_is_the_same(position: str, n_kv_heads: int) -> None:
    torch.compiler.reset()
    model, x = built(position=position, n_kv_heads=n_kv_heads), tokens(2, 16)
    # aot_eager: the graph is captured whole and differentiated, and no C++ compiler is needed
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(x), model(x), atol=3e-5)
    maps = compiled(x, trace=Trace(maps=True))
    assert torch.allclose(maps, model(x), atol=3e-5)
