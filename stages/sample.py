"""Stage `sample`: what the model writes after the prompts of `params.yaml`."""

from pathlib import Path

import _stage
from reprolm.generate.config import SampleConfig
from reprolm.store import directory_digest, publish_directory, publish_json
from reprolm.tracking.stage import Stage

SAMPLES = Path("reports/samples")


def main(stage: Stage) -> None:
    config = stage.section("sample", SampleConfig)
    seed, threads = stage.number("seed"), stage.number("threads")
    from reprolm.device import device
    from reprolm.evaluate.pair import load_pair
    from reprolm.evaluate.text import draw_samples, samples_as_columns, samples_as_text, text_statistics

    model, tokenizer = load_pair(Path("models/model"), Path("data/tokenizer"))
    rows = draw_samples(model.to(device(threads)), tokenizer, config, seed)
    with publish_directory(SAMPLES) as out:
        publish_json(out / "samples.json", rows)
        (out / "samples.txt").write_text(samples_as_text(rows))
    stage.metrics(text_statistics([row["text"] for row in rows]))
    stage.table("samples.json", samples_as_columns(rows))
    stage.artifact(SAMPLES / "samples.txt", "samples")
    stage.outputs({"samples": directory_digest(SAMPLES)})


if __name__ == "__main__":
    raise SystemExit(_stage.run("sample", main))
