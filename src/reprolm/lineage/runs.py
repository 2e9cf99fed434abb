"""A run of the store, as its user names it: id, the beginning of an id, or name."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprolm.errors import Exit, refuse
from reprolm.tracking.destination import Destination, connect, uri
from reprolm.tracking.identity import redacted
from reprolm.tracking.pipeline import STEPS

if TYPE_CHECKING:
    from mlflow.entities import Run

SHORT = 8
LATEST = "latest"


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
        return {name: tags[f"stage.{name}.digest"] for name in STEPS if f"stage.{name}.digest" in tags}

    def file(self, path: Path) -> bytes | None:
        """A file of the run; None where it has none of that name."""
        from mlflow.exceptions import MlflowException

        with tempfile.TemporaryDirectory() as folder:
            try:
                return Path(self.to.client.download_artifacts(self.id, path.as_posix(), folder)).read_bytes()
            except (MlflowException, OSError):
                return None


def found(root: Path, word: str) -> Found:
    """The run that `word` names in the store of a repository; `latest` is the newest.

    Raises:
        ReprolmError: no run has that name (exit 66), several have (2), or the store is away (69).
    """
    from mlflow.exceptions import MlflowException

    try:
        to = connect(root)
        runs: list[Any] = to.client.search_runs(
            [to.experiment], max_results=5000, order_by=["attributes.start_time DESC"]
        )
    except MlflowException as error:
        where = redacted(uri(root))
        raise refuse(where, "does not answer", got=redacted(str(error)), exit=Exit.NETWORK) from error
    named = runs[:1] if word == LATEST else [run for run in runs if _bears(run, word)]
    if not named:
        want = "the id or the name of a run in MLflow (reprolm sync sends what is not there yet)"
        raise refuse("run", "is not known", got=word, want=want, exit=Exit.MISSING)
    if len(named) > 1:
        ids = ", ".join(str(run.info.run_id)[:SHORT] for run in named[:5])
        raise refuse("run", f"names {len(named)} runs", got=word, want=f"one of {ids}", exit=Exit.PARAMETERS)
    return Found(to, named[0])


def _bears(run: "Run", word: str) -> bool:
    begins = len(word) >= 4 and str(run.info.run_id).startswith(word)
    return begins or run.info.run_name == word
