"""Stage `encode`: text to memory-mapped tokens."""

import time
from pathlib import Path

import _stage
from reprolm.data.config import EncodeConfig
from reprolm.store import directory_digest
from reprolm.tracking.stage import Stage

TOKENS = Path("data/tokens")


def main(stage: Stage) -> None:
    config = stage.section("encode", EncodeConfig)
    from reprolm.data.encode import encode

    began = time.monotonic()
    metrics = encode(config, Path("data/corpus"), Path("data/tokenizer"), TOKENS)
    stage.metrics(metrics)
    stage.timings({"tokens_per_second": metrics["tokens"] / (time.monotonic() - began)})
    stage.outputs({"tokens": directory_digest(TOKENS)})


if __name__ == "__main__":
    raise SystemExit(_stage.run("encode", main))
