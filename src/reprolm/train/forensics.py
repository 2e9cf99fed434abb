"""What is left of a run that had to stop: enough to see why without running it again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reprolm.data.windows import IGNORED
from reprolm.store import publish_directory, publish_json
from reprolm.train.certificate import certificate
from reprolm.train.checkpoint import Checkpoints
from reprolm.train.run import Run
from reprolm.train.watch import Watch

Decode = Callable[[list[int]], str]
FOLDER = "forensics"
"""Beside the checkpoints."""
NOTE = """The last good checkpoint, the batch with which it began (decoded), norms by layer of the last steps
(since the process began), the numbers of every step, the events, the parameters and the certificate."""


def _text(run: Run, rows: Any, targets: Any, decode: Decode) -> str:
    """A batch for reading: a heading and the text of each row, without what fills it up."""
    parts = []
    for index, (row, target) in enumerate(zip(rows.tolist(), targets.tolist(), strict=True)):
        count = sum(each != IGNORED for each in target)
        text = decode([*row[:count], *target[max(0, count - 1) : count]])
        parts.append(f"--- row {index} of {run.train.batch_size}, {count} targets\n{text}\n")
    return "".join(parts)


def write(watch: Watch, checkpoints: Checkpoints, out: Path, decode: Decode) -> None:
    """Publishes the bundle as `out`, which lies beside the checkpoints.

    A divergence is known for one long after it began: the batch is that of its beginning.
    """
    events, run = watch.records(), watch.step.run
    event = events[-1]["step"] if events else len(watch.series)
    sound = min(event - 1, watch.detector.sound_until(event))
    good = checkpoints.newest_until(sound)
    with publish_directory(out) as bundle:
        batch = watch.batch_before(sound + 1)
        (bundle / "README.txt").write_text(NOTE + "\n")
        (bundle / "batch.txt").write_text(_text(run, batch.inputs, batch.targets, decode), encoding="utf-8")
        (bundle / "norms.csv").write_text(watch.norms.csv())
        (bundle / "steps.csv").write_text(watch.series.csv())
        (bundle / "events.jsonl").write_text(lines(events))
        publish_json(bundle / "certificate.json", certificate(watch))
        config = {"seed": run.seed, "model": run.model.model_dump(), "train": run.train.model_dump()}
        publish_json(bundle / "config.json", config)
        publish_json(
            bundle / "checkpoint.json",
            {"last_good": f"../{good.name}" if good else None, "began_step": sound + 1, "event_step": event},
        )


def lines(records: list[dict[str, Any]]) -> str:
    """Records as JSON lines."""
    return "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records)
