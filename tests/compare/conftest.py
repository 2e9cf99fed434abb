"""A store of MLflow with runs as the pipeline leaves them, without the pipeline."""

import json
from collections.abc import Mapping

import pytest
from mlflow.entities import Metric, Param, RunTag

from reprolm.compare.runs import Compared, gathered
from reprolm.tracking.destination import Destination, connect
from reprolm.tracking.runs import all_runs

BEGAN = 1_790_000_000_000
TAGS = {"stage.download.digest": "text", "stage.encode.digest": "tokens", "stage.train": "ran",
        "git.commit": "c0ffee"}  # fmt: skip
PARAMS = {"train.batch_size": "4", "model.context_length": "8", "evaluate.split": "validation"}


class Store:
    """Adds runs to a destination, each a second younger."""

    def __init__(self, to: Destination) -> None:
        self.to, self.count = to, 0

    def add(self, name: str, params: Mapping[str, str], quality: float, **tags: str) -> str:
        """A run; `status`, `samples` and any tag (`__` for a dot) may be given."""
        self.count += 1
        status, samples = tags.pop("status", "FINISHED"), tags.pop("samples", "said")
        client, at = self.to.client, BEGAN + 1000 * self.count
        run = client.create_run(self.to.experiment, at, {"dvc.exp_name": name}, name).info.run_id
        points = [Metric("train/loss", quality + 4 / step, at + 500 * step, step) for step in range(1, 21)]
        points += [Metric("validation/loss", quality + 5 / s, at + 500 * s, s) for s in (5, 10, 15, 20)]
        single = {"evaluate/bits_per_byte": quality, "train/best_validation_loss": 2 * quality,
                  "train/flops_per_token": 1000.0, "evaluate/perplexity": 10 * quality}  # fmt: skip
        points += [Metric(key, value, at, 0) for key, value in single.items()]
        known = TAGS | {key.replace("__", "."): value for key, value in tags.items()}
        client.log_batch(run, points, [Param(*item) for item in (PARAMS | dict(params)).items()],
                         [RunTag(*item) for item in known.items()])  # fmt: skip
        rows = [[prompt, draw, f"{samples} {draw}"] for prompt in ("Once", "<b>") for draw in (0, 1)]
        table = {"columns": ["prompt", "draw", "text"], "data": rows}
        client.log_text(run, json.dumps(table), "samples.json")
        client.set_terminated(run, status, at + 20_000)
        return str(run)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two rates of three seeds, the first tried before; a run of other tokens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
        made = Store(connect(tmp_path_factory.mktemp("store")))
    made.add("rate=0.01,seed=1", {"train.learning_rate": "0.01", "seed": "1"}, 9.0, status="FAILED")
    for rate, quality in ((0.01, 1.5), (0.03, 1.2)):
        for seed in (1, 2, 3):
            params = {"train.learning_rate": str(rate), "seed": str(seed)}
            made.add(f"rate={rate},seed={seed}", params, quality + 0.01 * seed, samples=f"rate {rate} said")
    other = {"train.learning_rate": "0.01", "seed": "1", "tokenizer.kind": "bytes"}
    made.add("bytes", other, 1.0, stage__encode__digest="other", samples="<script>alert(1)</script>")
    return made


@pytest.fixture
def runs(store: Store) -> dict[str, Compared]:
    """What is compared of the finished runs, by name."""
    found = [run for run in all_runs(store.to) if run.info.status == "FINISHED"]
    return {run.name: run for run in gathered(store.to, found)}
