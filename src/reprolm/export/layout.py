"""What a layout of Hugging Face is: the architectures that it can express, its configuration, its tensors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from reprolm.errors import Problem
from reprolm.export.fold import scaled_queries
from reprolm.model.config import ModelConfig

Named = Mapping[str, Tensor]
Values = dict[str, tuple[Any, ...]]
"""The values that some parameters of section `model` may have."""

ALWAYS: Values = {"norm_placement": ("pre",), "final_norm": (True,), "logit_soft_cap": (None,)}
"""What every layout here asks for."""

ACTIVATIONS = {
    "relu": "relu", "relu2": "relu2", "gelu": "gelu", "silu": "silu", "swiglu": "silu", "geglu": "gelu",
}  # fmt: skip
"""The name at Hugging Face of the activation in each of our feed-forwards."""

PLAIN, GATED = ("relu", "relu2", "gelu", "silu"), ("swiglu", "geglu")
WORDS = {"True": "true", "False": "false", "None": "null"}
"""Values as `params.yaml` spells them."""


@dataclass(frozen=True)
class Layout:
    """A released architecture of `transformers`, and how a model of ours is written as one.

    `fits` gives the values that it can express (of a model with a vocabulary of some size), `fields` the main
    part of its `config.json`. `tensors` renames, joins and fills ours; it is differentiable, so that
    gradients through the foreign model are gradients of our tensors.
    """

    name: str
    kind: str
    """Its `model_type`."""
    architecture: str
    """Its class."""
    fits: Callable[[ModelConfig, int], Values]
    fields: Callable[[ModelConfig], dict[str, Any]]
    tensors: Callable[[ModelConfig, Named], dict[str, Tensor]]

    def obstacles(self, config: ModelConfig, vocab_size: int) -> list[Problem]:
        """The parameters whose value it cannot express."""
        what = f"cannot be expressed by the nearest layout of Hugging Face, {self.name}"
        return [
            Problem(f"model.{where}", what, _word(found), " or ".join(map(_word, wanted)))
            for where, wanted in (ALWAYS | self.fits(config, vocab_size)).items()
            if (found := _value(config, where)) not in wanted
        ]

    def configuration(self, config: ModelConfig, vocab_size: int, end: int | None) -> dict[str, Any]:
        """Its `config.json`; `end` is the token that stands between documents."""
        return {
            "architectures": [self.architecture], "model_type": self.kind, "dtype": "float32",
            "vocab_size": vocab_size, "tie_word_embeddings": config.tie_embeddings, "use_cache": True,
            # an entry that pads would get no gradient; documents begin where others end
            "pad_token_id": None, "bos_token_id": end, "eos_token_id": end,
            **self.fields(config),
        }  # fmt: skip

    def converted(self, config: ModelConfig, ours: Named) -> dict[str, Tensor]:
        """Its tensors, by the names in its files, from ours."""
        return self.tensors(config, scaled_queries(config, ours))


def _value(config: ModelConfig, where: str) -> Any:
    value: Any = config
    for word in where.split("."):
        value = getattr(value, word)
    return value


def _word(value: object) -> str:
    return WORDS.get(str(value), str(value))
