"""Finding what a trained model keeps of itself: in a folder, in a run of MLflow, or in a revision of git."""

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from reprolm.diagnose.compare import Kept
from reprolm.errors import Exit, refuse
from reprolm.tracking.destination import Destination, connect

RECORD = Path("reports/train")
FILES = ("certificate.json", "steps.csv")
WANT = "a folder, a run of MLflow, or a git revision or DVC experiment whose training is in DVC's cache"


def kept(root: Path, name: str) -> Kept:
    """What `name` means: a folder (a repository, `reports/train`, a bundle), a run's id, or a revision.

    Raises:
        ReprolmError: nothing of that name holds a certificate (exit 66).
    """
    for folder in (Path(name), Path(name) / RECORD):
        if all((folder / file).is_file() for file in FILES):
            return _of_folder(folder)
    if re.fullmatch(r"[0-9a-f]{32}", name):
        return _of_run(connect(root), name)
    return _of_revision(root, name)


def _of(read: Callable[[str], str]) -> Kept:
    certificate, steps = map(read, FILES)
    return Kept(json.loads(certificate), steps)


def _of_folder(folder: Path) -> Kept:
    return _of(lambda file: (folder / file).read_text(encoding="utf-8"))


def _of_run(to: Destination, run: str) -> Kept:
    """Of the run itself, or of the one that computed what DVC took from its cache."""
    from mlflow.exceptions import MlflowException

    try:
        tags = to.client.get_run(run).data.tags
        computed = tags.get("stage.train.computed_by", run)
        with tempfile.TemporaryDirectory() as folder:
            for place in (RECORD.name, "forensics"):
                if {f"{place}/{file}" for file in FILES} <= {
                    each.path for each in to.client.list_artifacts(computed, place)
                }:
                    return _of_folder(Path(to.client.download_artifacts(computed, place, folder)))
    except MlflowException as error:
        raise refuse(run, "is no run that can be read", got=error, want=WANT, exit=Exit.MISSING) from error
    raise refuse(run, "is a run without a certificate", want="one that trained", exit=Exit.MISSING)


def _of_revision(root: Path, revision: str) -> Kept:
    import dvc.api
    from dvc.exceptions import DvcException
    from scmrepo.exceptions import SCMError

    try:
        return _of(lambda file: str(dvc.api.read(str(RECORD / file), repo=str(root), rev=revision)))
    except (DvcException, SCMError, OSError) as error:
        got = str(error).splitlines()[0]
        raise refuse(revision, "keeps no certificate", got=got, want=WANT, exit=Exit.MISSING) from error
