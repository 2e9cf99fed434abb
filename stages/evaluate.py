"""Stage `evaluate`: perplexity and bits per byte of the model, beside what simple predictors reach."""

from pathlib import Path

import _stage
from reprolm.evaluate.config import EvaluateConfig
from reprolm.store import directory_digest, publish_directory, verified
from reprolm.tracking.stage import Stage

MODEL, REPORT = Path("models/model"), Path("reports/evaluate")


def main(stage: Stage) -> None:
    config, threads = stage.section("evaluate", EvaluateConfig), stage.number("threads")
    from reprolm.corpus.read import open_corpus
    from reprolm.data.shards import Tokens
    from reprolm.device import device
    from reprolm.evaluate.pair import require_same
    from reprolm.evaluate.perplexity import evaluate
    from reprolm.model.storage import load_model

    model, facts = load_model(MODEL)
    tokens = verified(Path("data/tokens"))
    training, judged = Tokens(tokens, "train"), Tokens(tokens, config.split)
    require_same(MODEL, facts["tokenizer"], judged.tokenizer_digest)
    text = bytes(open_corpus(Path("data/corpus"))[config.split].content())
    metrics, by_position = evaluate(model.to(device(threads)), training, judged, text, config)
    with publish_directory(REPORT) as out:
        (out / "by_position.csv").write_text(by_position.csv())
    stage.metrics(metrics)
    stage.artifact(REPORT / "by_position.csv", "evaluate")
    stage.outputs({"evaluate": directory_digest(REPORT)})


if __name__ == "__main__":
    raise SystemExit(_stage.run("evaluate", main))
