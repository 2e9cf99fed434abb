"""A model that was trained, promoted and is served."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.workspace import Workspace
from tests.serving import served


def asked(address: str, **request: Any) -> tuple[int, Any]:
    """The status and the answer of a served model."""
    headers = {"Content-Type": "application/json"}
    query = urllib.request.Request(f"{address}/invocations", json.dumps(request).encode(), headers)
    try:
        with urllib.request.urlopen(query, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.heavy
def test_a_promoted_model_is_served_and_answers_prompts(finished: Workspace, tmp_path: Path) -> None:
    finished.runs()
    finished.run("reprolm", "promote", "latest")
    assert finished.status() == ""
    assert "up to date" in finished.run("dvc", "status")
    command = ["mlflow", "models", "serve", "-m", "models:/language-model@champion", "--env-manager", "local"]
    environment = finished.environment() | {"MLFLOW_TRACKING_URI": f"sqlite:///{finished.path}/mlflow.db"}
    with served([*command, "-w", "1"], "/ping", tmp_path, environment) as model:
        prompt, short = [{"prompt": "the cat"}], {"max_new_tokens": 3, "temperature": 0.0}
        code, few = asked(model, inputs=prompt, params=short)
        assert code == 200
        assert few["predictions"][0].startswith("the cat")
        _, more = asked(model, inputs=prompt, params=short | {"max_new_tokens": 9})
        assert len(more["predictions"][0]) > len(few["predictions"][0])
        assert asked(model, inputs=prompt, params=short) == (200, few)
        code, refused = asked(model, inputs=prompt, params={"temperature": -1.0})
        assert (code, "sample.temperature" in refused["message"]) == (400, True)


@pytest.mark.heavy
def test_dvc_gets_the_model_by_the_name_that_a_tag_gives_it(work: Workspace) -> None:
    work.run("git", "tag", "-a", "language-model@v1.0.0", "-m", "The first")
    work.run("dvc", "artifacts", "get", str(work.path), "language-model", "-o", str(work.path / "got"))
    for name in ("model.safetensors", "manifest.json"):
        ours = (work.path / "models" / "model" / name).read_bytes()
        assert (work.path / "got" / name).read_bytes() == ours
