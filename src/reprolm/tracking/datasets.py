"""The data of a run, as MLflow's dataset inputs: the splits of the corpus."""

from pathlib import Path

from reprolm.store import manifest

CORPUS = Path("data/corpus")
CONTEXTS = {"train": "training", "validation": "validation", "test": "test"}
"""The splits, and as what each is used."""


def splits(source: str) -> list[dict[str, str]]:
    """Name, digest, source and context of each split of the corpus here; `source` is `data.source`.

    The digest is the sha256 of the file that the source names: whoever has only that file can compare it.

    Raises:
        ReprolmError: there is no corpus, or its manifest cannot be read.
    """
    files = manifest(CORPUS)
    paths = {CORPUS / f"{split}.txt": split for split in CONTEXTS}
    return [
        {
            "name": f"{source}/{split}",
            "digest": files[path.name]["sha256"],
            "source": str(path),
            "context": CONTEXTS[split],
        }
        for path, split in paths.items()
    ]
