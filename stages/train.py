"""Stage `train`: tokens to a model; after a kill it resumes from its last checkpoint."""

import time
from pathlib import Path

import _stage
from reprolm.distributed.ranks import place
from reprolm.model.config import ModelConfig
from reprolm.store import directory_digest, verified
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
    from reprolm.plan.reckoned import reckoned
    from reprolm.train import begun, forensics
    from reprolm.train.key import checkpoint_key, key_parts
    from reprolm.train.loop import Trainer
    from reprolm.train.publish import numbers, publish, speed
    from reprolm.train.run import Run
    from reprolm.train.together import together

    stage.require_prompts(TOKENIZER)
    tokens, on = verified(TOKENS), device(threads, place().local_rank)
    parts = key_parts(model, train, seed, directory_digest(tokens), fingerprint(on, threads))
    training, validation = (Tokens(tokens, split) for split in ("train", "validation"))
    directory = stage.checkpoints / checkpoint_key(parts)
    with together(directory, train.processes, on) as world:
        if world.leads:
            begun.begin(directory, parts)
        run = Run(model, train, seed, training, validation, on, world, threads)
        with reckoned(run), stage.shown_if_it_fails(directory / forensics.FOLDER):
            trainer = Trainer(run, directory, stage, decoder(TOKENIZER, training.tokenizer_digest))
            began, since = trainer.state.step, time.monotonic()
            stage.horizon(trainer.step.total)
            trainer.fit()
        if not world.leads:
            return
        took = {"fit_seconds": time.monotonic() - since, "peak_bytes": peak_bytes(on)}
        stage.metrics(numbers(trainer))
        publish(trainer, CURVE, RECORD, MODEL)
    if began == 0:
        stage.took(took)
    stage.tags(device=parts["fingerprint"]["device"], resumed_from_step=began, **trainer.step.shape)
    stage.artifact(CURVE, "plots")
    stage.artifacts(RECORD)
    stage.text(speed(trainer), Path("train/speed.csv"))
    stage.outputs({"model": directory_digest(MODEL)})


if __name__ == "__main__":
    raise SystemExit(_stage.run("train", main))
