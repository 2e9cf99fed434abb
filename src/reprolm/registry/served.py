"""What MLflow runs when it loads a promoted model: it logs this file, and a copy of the package beside it.

`predict` must not have type hints: MLflow would take them for the signature, and drop all parameters unseen.
"""

from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from reprolm.errors import ReprolmError


class LanguageModel(PythonModel):  # type: ignore[misc]
    """Continues prompts: a row `prompt` in, the prompt with its continuation out."""

    def load_context(self, context):  # type: ignore[no-untyped-def]
        """Loads model and tokenizer, each file compared with its manifest."""
        from reprolm.evaluate.pair import load_pair

        artifacts = context.artifacts
        self._pair = load_pair(Path(artifacts["model"]), Path(artifacts["tokenizer"]))

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
        """The prompts with their continuations."""
        from reprolm.evaluate.continuation import continuations

        chosen = {name: value for name, value in (params or {}).items() if value is not None}
        try:
            return continuations(self._pair, [str(prompt) for prompt in model_input["prompt"]], chosen)
        except ReprolmError as error:
            # a request that asks for what cannot be: 400, and not 500
            raise MlflowException.invalid_parameter_value(str(error)) from error


set_model(LanguageModel())
