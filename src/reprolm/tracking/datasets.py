"""The data of a run, as MLflow's dataset inputs: the splits of the corpus."""

from pathlib import Path

CORPUS = Path("data/corpus")
CONTEXTS = {"train": "training", "validation": "validation", "test": "test"}
"""The splits, and as what each is used."""


def splits(source: str, digest: str) -> list[dict[str, str]]:
    """Name, digest, source and context of each split; `source` is `data.source`, `digest` the corpus's."""
    return [
        {
            "name": f"{source}/{split}",
            "digest": digest,
            "source": str(CORPUS / f"{split}.txt"),
            "context": context,
        }
        for split, context in CONTEXTS.items()
    ]
