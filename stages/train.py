"""Stage `train`: tokens to a model; after a kill it resumes from its last checkpoint."""

import time
from pathlib import Path

import _stage
from reprolm.model.config import ModelConfig
from reprolm.store import directory_digest, locked, publish_json, verified
from reprolm.tracking.forensics import decoder
from reprolm.tracking.stage import Stage
from reprolm.train.config import TrainConfig

MODEL, TOKENS, CURVE = Path("models/model"), Path("data/tokens"), Path("plots/train.csv")
TOKENIZER, RECORD = Path("data/tokenizer"), Path("reports/train")


def main(stage: Stage) -> None:
    model, train = stage.section("model", ModelConfig), stage.section("train", TrainConfig)
    seed, threads = stage.number("seed"), stage.number("threads")
    from reprolm.data.shards import Tokens
    from reprolm.device import device, fingerprint, peak_bytes
    from reprolm.train import finished
    from reprolm.train.key import checkpoint_key
    from reprolm.train.loop import Trainer
    from reprolm.train.publish import numbers, publish, speed
    from reprolm.train.run import Run

    tokens, on = verified(TOKENS), device(threads)
    bits = fingerprint(on, threads)
    training, validation = Tokens(tokens, "train"), Tokens(tokens, "validation")
    run = Run(model, train, seed, training, validation, on)
    key = checkpoint_key(model, train, seed, directory_digest(tokens), bits)
    directory = stage.root / ".reprolm" / "checkpoints" / key
    with locked(directory, wait=lambda holder: print(f"train: waits for {holder}, which trains the same")):
        publish_json(directory / "fingerprint.json", bits)
        trainer = Trainer(run, directory, stage, decoder(TOKENIZER, training.tokenizer_digest))
        began = trainer.state.step
        since = time.monotonic()
        with stage.shown_if_it_fails(trainer.forensics):
            trainer.fit()
        took = {"fit_seconds": time.monotonic() - since, "peak_bytes": peak_bytes(on)}
        stage.metrics(numbers(trainer))
        publish(trainer, CURVE, RECORD, MODEL)
        finished.mark(directory, directory_digest(MODEL))
        finished.remove(directory.parent, but=directory)
    if began == 0:
        stage.took(took)
    stage.tag("device", bits["device"])
    stage.tag("resumed_from_step", str(began))
    stage.tag("micro_batch_size", str(trainer.step.micro_batch_size))
    stage.artifact(CURVE, "plots")
    stage.artifacts(RECORD)
    stage.text(speed(trainer), Path("train/speed.csv"))
    stage.outputs({"model": directory_digest(MODEL)})


if __name__ == "__main__":
    raise SystemExit(_stage.run("train", main))
