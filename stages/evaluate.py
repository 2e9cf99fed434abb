"""Stage `evaluate`: perplexity and bits per byte of the model, beside what simple predictors reach."""

from pathlib import Path

import _stage
from reprolm.evaluate.config import EvaluateConfig
from reprolm.store import directory_digest, publish_directory, verified
from reprolm.tracking.stage import Stage

CORPUS, MODEL, REPORT = Path("data/corpus"), Path("models/model"), Path("reports/evaluate")


def main(stage: Stage) -> None:
    config, threads = stage.section("evaluate", EvaluateConfig), stage.number("threads")
    from reprolm.corpus.read import open_corpus
    from reprolm.data.shards import Tokens
    from reprolm.device import device
    from reprolm.evaluate.excess import oracle
    from reprolm.evaluate.pair import require_same
    from reprolm.evaluate.perplexity import Judged, evaluate
    from reprolm.model.storage import load_model

    model, facts = load_model(MODEL)
    tokens = verified(Path("data/tokens"))
    training, judged = Tokens(tokens, "train"), Tokens(tokens, config.split)
    require_same(MODEL, facts["tokenizer"], judged.tokenizer_digest)
    split = open_corpus(CORPUS)[config.split]
    text = Judged(bytes(split.content()), facts["windows"], oracle(CORPUS, split))
    metrics, by_position = evaluate(model.to(device(threads)), training, judged, text, config)
    with publish_directory(REPORT) as out:
        (out / "by_position.csv").write_text(by_position.csv())
    stage.metrics(metrics)
    stage.artifact(REPORT / "by_position.csv", "evaluate")
    stage.outputs({"evaluate": directory_digest(REPORT)})


if __name__ == "__main__":
    raise SystemExit(_stage.run("evaluate", main))
