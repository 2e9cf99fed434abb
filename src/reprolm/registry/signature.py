"""What a served model is asked and answers."""

from typing import TYPE_CHECKING

from reprolm.evaluate.continuation import OPTIONS

if TYPE_CHECKING:
    from mlflow.models import ModelSignature


def signature() -> "ModelSignature":
    """A column `prompt` in, a text out, and the options with their types."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    kinds = {int: "long", float: "double"}
    options = [ParamSpec(name, kinds[type(value)], value) for name, value in OPTIONS.items()]
    return ModelSignature(
        inputs=Schema([ColSpec("string", "prompt")]),
        outputs=Schema([ColSpec("string")]),
        params=ParamSchema(options),
    )
