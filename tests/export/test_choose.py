"""Which layout an architecture gets, and what stands in the way of one."""

from typing import Any

import pytest

from reprolm.config import read_params, section
from reprolm.errors import Exit, ReprolmError
from reprolm.export.choose import layout_for
from reprolm.model.config import ModelConfig
from tests.export.cases import ALIBI, MOE, PLAIN
from tests.settings import ROOT, model_config, raw

HEAD = {"bias": raw("model")["bias"] | {"head": True}}


def problems(vocab_size: int = 29, **kinds: Any) -> list[str]:
    with pytest.raises(ReprolmError) as caught:
        layout_for(model_config(**kinds), vocab_size)
    assert caught.value.exit is Exit.PARAMETERS
    return [str(problem) for problem in caught.value.problems]


def test_the_default_model_has_a_layout() -> None:
    assert layout_for(model_config(), 4096).name == "Apertus"


@pytest.mark.parametrize(
    ("kinds", "line"),
    [
        ({"position": "alibi"}, "model.position: cannot be expressed by the nearest layout of Hugging Face, "
         "Apertus (got alibi; want rope)"),
        ({"norm_placement": "sandwich"}, "model.norm_placement: … Apertus (got sandwich; want pre)"),
        ({"final_norm": False}, "model.final_norm: … Apertus (got false; want true)"),
        ({"logit_soft_cap": 30.0}, "model.logit_soft_cap: … Apertus (got 30.0; want null)"),
        ({"rmsnorm": {"epsilon": 1e-5}}, "model.rmsnorm.epsilon: … Apertus (got 1e-05; want 1e-06)"),
        ({"norm": "none"}, "model.norm: … Apertus (got none; want rmsnorm)"),
        (PLAIN | {"feedforward": "swiglu"}, "model.feedforward: … GPT-2 (got swiglu; want relu or relu2 or "
         "gelu or silu)"),
        (PLAIN | {"qk_norm": True}, "model.qk_norm: … GPT-2 (got true; want false)"),
        (HEAD, "model.bias.head: … Apertus (got true; want false)"),
        (ALIBI | {"norm": "rmsnorm"}, "model.norm: … MPT (got rmsnorm; want layernorm)"),
        (ALIBI | {"d_ff": 64}, "model.d_ff: … MPT (got 64; want 128)"),
        (ALIBI | {"d_model": 48, "d_ff": 192, "n_heads": 6, "n_kv_heads": 6},
         "model.n_heads: … MPT (got 6; want 4 or 8)"),
        ({"feedforward": "moe", "moe": MOE | {"expert": "gelu"}},
         "model.moe.expert: … Qwen3-MoE (got gelu; want swiglu or geglu)"),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_of_the_nearest_layout_is_named(kinds: dict[str, Any], line: str) -> None:
    said = "cannot be expressed by the nearest layout of Hugging Face,"
    assert problems(**kinds) == [line.replace("…", said)]


@pytest.mark.parametrize(
    ("name", "layout"),
    [("first_principles", "GPT-2"), ("minigpt", "GPT-2"), ("moe_gqa", "Qwen2-MoE"), ("tinystories", "Llama")],
)
def test_presets_have_layouts(name: str, layout: str) -> None:
    config = section(read_params(ROOT / "presets" / f"{name}.yaml"), "model", ModelConfig)
    assert layout_for(config, vocab_size=65).name == layout


def test_a_bias_of_the_head_needs_a_vocabulary_no_larger_than_the_width() -> None:
    assert layout_for(model_config(**PLAIN, **HEAD), 32).name == "GPT-2"
    assert [line.partition(":")[0] for line in problems(33, **PLAIN, **HEAD)] == ["model.bias.head"]


def test_all_that_stands_in_the_way_is_told_at_once() -> None:
    found = problems(position="none", logit_soft_cap=5.0)
    assert [line.partition(":")[0] for line in found] == ["model.logit_soft_cap", "model.position"]
