"""Stage `train_tokenizer`: the vocabulary, from the train split alone."""

from pathlib import Path

import _stage
from reprolm.store import directory_digest
from reprolm.tokenizers.config import TokenizerConfig
from reprolm.tracking.stage import Stage

TOKENIZER = Path("data/tokenizer")


def main(stage: Stage) -> None:
    config = stage.section("tokenizer", TokenizerConfig)
    from reprolm.tokenizers.train import train

    metrics = train(config, Path("data/corpus"), TOKENIZER)
    stage.require_prompts(TOKENIZER)
    stage.metrics(metrics)
    stage.outputs({"tokenizer": directory_digest(TOKENIZER)})
    for name in ("tokenizer.json", "entries.json", "ranks.csv"):
        stage.artifact(TOKENIZER / name, "tokenizer")


if __name__ == "__main__":
    raise SystemExit(_stage.run("train_tokenizer", main))
