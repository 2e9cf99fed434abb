"""A run of the store, and what it tells of what it was made from."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reprolm.tracking.destination import Destination, asking, connect
from reprolm.tracking.pipeline import STAGES
from reprolm.tracking.runs import SHORT, the

if TYPE_CHECKING:
    from mlflow.entities import Run


@dataclass(frozen=True)
class Found:
    """A run and the store that holds it."""

    to: Destination
    run: "Run"

    @property
    def id(self) -> str:
        """The id that MLflow gave it."""
        return str(self.run.info.run_id)

    @property
    def name(self) -> str:
        """Its name and the beginning of its id."""
        return f"{self.run.info.run_name or 'run'} ({self.id[:SHORT]})"

    @property
    def tags(self) -> dict[str, str]:
        """What is tagged, by name."""
        return dict(self.run.data.tags)

    def digests(self) -> dict[str, str]:
        """The digest of what each stage made, by stage, as far as the run tells."""
        tags = self.tags
        return {name: tags[f"stage.{name}.digest"] for name in STAGES if f"stage.{name}.digest" in tags}

    def file(self, path: Path) -> bytes | None:
        """A file of the run; None where it has none of that name."""
        from mlflow.exceptions import MlflowException

        with tempfile.TemporaryDirectory() as folder:
            try:
                return Path(self.to.client.download_artifacts(self.id, path.as_posix(), folder)).read_bytes()
            except (MlflowException, OSError):
                return None


def found(root: Path, word: str) -> Found:
    """The run that `word` means in the store of a repository.

    Raises:
        ReprolmError: none is meant (exit 66), or several (2), or the store does not answer (69).
    """
    to = connect(root)
    with asking(root):
        return Found(to, the(to, word))
