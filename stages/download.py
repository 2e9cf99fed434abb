"""Stage `download`: a source named in `data` to documents, split before anything else sees them."""

import _stage
from reprolm.corpus.config import DataConfig
from reprolm.store import directory_digest
from reprolm.tracking.datasets import CORPUS, splits
from reprolm.tracking.stage import Stage


def main(stage: Stage) -> None:
    data = stage.section("data", DataConfig)
    from reprolm.corpus.build import build

    stage.metrics(build(data, CORPUS, stage.root))
    for split in splits(data.source):
        stage.dataset(**split)
    stage.outputs({"corpus": directory_digest(CORPUS)})


if __name__ == "__main__":
    raise SystemExit(_stage.run("download", main))
