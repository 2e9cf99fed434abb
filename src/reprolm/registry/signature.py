"""What a served model is asked and answers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reprolm.config import section
from reprolm.evaluate.text import draw_samples
from reprolm.generate.config import SampleConfig
from reprolm.model.transformer import Transformer
from reprolm.tokenizers.interface import Tokenizer

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

PARAMETERS: dict[str, Any] = {
    "max_new_tokens": 100,
    "temperature": 0.8,
    "top_k": 0,
    "top_p": 1.0,
    "seed": 1,
}
"""How a request may be varied, and what is taken where it says nothing. `top_k: 0` cuts nothing off."""


def continued(
    pair: tuple[Transformer, Tokenizer], prompts: Sequence[str], params: Mapping[str, Any]
) -> list[str]:
    """Each prompt with its continuation; the same seed gives the same text.

    Raises:
        ReprolmError: a prompt or a parameter is out of bounds (exit 2, 65).
    """
    values = {"prompts": list(prompts), "draws": 1, "dropout_active": False}
    values |= {name: params[name] for name in ("max_new_tokens", "temperature", "top_p")}
    values["top_k"] = params["top_k"] or None
    config = section({"sample": values}, "sample", SampleConfig)
    rows = draw_samples(*pair, config, int(params["seed"]))
    return [row["prompt"] + row["text"] for row in rows]


def signature() -> "ModelSignature":
    """A column `prompt` in, a text out, and the parameters with their types."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    kinds = {int: "long", float: "double"}
    return ModelSignature(
        inputs=Schema([ColSpec("string", "prompt")]),
        outputs=Schema([ColSpec("string")]),
        params=ParamSchema(
            [ParamSpec(name, kinds[type(value)], value) for name, value in PARAMETERS.items()]
        ),
    )
