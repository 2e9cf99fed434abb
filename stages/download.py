"""Stage `download`: a source named in `data` to documents, split before anything else sees them."""

from pathlib import Path

import _stage
from reprolm.corpus.config import DataConfig
from reprolm.store import directory_digest
from reprolm.tracking.stage import Stage

CORPUS = Path("data/corpus")
CONTEXTS = {"train": "training", "validation": "validation", "test": "test"}


def main(stage: Stage) -> None:
    data = stage.section("data", DataConfig)
    from reprolm.corpus.build import build

    stage.metrics(build(data, CORPUS, stage.root))
    digest = directory_digest(CORPUS)
    for split, context in CONTEXTS.items():
        source = str(CORPUS / f"{split}.txt")
        stage.dataset(name=f"{data.source}/{split}", digest=digest, source=source, context=context)
    stage.outputs({"corpus": digest})


if __name__ == "__main__":
    raise SystemExit(_stage.run("download", main))
