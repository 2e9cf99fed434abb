"""Finding what a trained model keeps of itself: in a folder, in a run of MLflow, or in a revision of git."""

import csv
import json
import tempfile
from pathlib import Path

from reprolm.diagnose.compare import COLUMNS, Kept
from reprolm.errors import Exit, ReprolmError, refuse
from reprolm.tracking import git
from reprolm.tracking.destination import asking, connect
from reprolm.tracking.every_step import NAMES, read_parquet
from reprolm.tracking.runs import LATEST, all_runs, meant

RECORD = Path("reports/train")
CERTIFICATE, STEPS = "certificate.json", "steps.csv"
BOTH = (STEPS, NAMES[STEPS])
"""The forms in which a run of MLflow may have the numbers of its steps."""
WANT = "a folder, a run of MLflow, or a git revision or DVC experiment whose training is in DVC's cache"


def kept(root: Path, name: str) -> Kept:
    """What `name` means: a folder (a repository, `reports/train`, a bundle), a revision of git, else a run.

    Raises:
        ReprolmError: nothing of that name holds a certificate (exit 66), several runs bear it (2), or the
            store does not answer (69).
    """
    for folder in (Path(name), Path(name) / RECORD):
        if all((folder / file).is_file() for file in (CERTIFICATE, STEPS)):
            return _of_folder(folder)
    if name != LATEST and git.said("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", at=root):
        return _of_revision(root, name)
    away: ReprolmError | None = None
    try:
        if found := _of_run(root, name):
            return found
    except ReprolmError as error:
        if error.exit is not Exit.NETWORK:
            raise
        away = error
    try:
        # an experiment of DVC that the store does not have
        return _of_revision(root, name)
    except ReprolmError as error:
        raise away or error from error


def _of_text(certificate: str, steps: str) -> Kept:
    rows = csv.DictReader(steps.splitlines())
    return Kept(json.loads(certificate), [tuple(row[name] for name in COLUMNS) for row in rows])


def _of_folder(folder: Path) -> Kept:
    return _of_text(*((folder / file).read_text(encoding="utf-8") for file in (CERTIFICATE, STEPS)))


def _of_run(root: Path, name: str) -> Kept | None:
    """Of a run, or of the one that computed what DVC took from its cache; None where no run is meant."""
    to = connect(root)
    with asking(root):
        run = meant(to, name, all_runs(to))
        if run is None:
            return None
        computed = run.data.tags.get("stage.train.computed_by", run.info.run_id)
        with tempfile.TemporaryDirectory() as folder:
            for place in (RECORD.name, "forensics"):
                there = {each.path for each in to.client.list_artifacts(computed, place)}
                if f"{place}/{CERTIFICATE}" in there and there & {f"{place}/{name}" for name in BOTH}:
                    return _of_download(Path(to.client.download_artifacts(computed, place, folder)))
    where = f"run {run.info.run_name}"
    raise refuse(where, "has no certificate", got=run.info.status, want="one that trained", exit=Exit.MISSING)


def _of_download(folder: Path) -> Kept:
    if not (folder / NAMES[STEPS]).is_file():
        return _of_folder(folder)
    steps = read_parquet(folder / NAMES[STEPS], COLUMNS)
    certificate = json.loads((folder / CERTIFICATE).read_text(encoding="utf-8"))
    return Kept(certificate, [tuple(map(repr, row)) for row in steps])


def _of_revision(root: Path, revision: str) -> Kept:
    import dvc.api
    from dvc.exceptions import DvcException
    from scmrepo.exceptions import SCMError

    try:
        paths = (str(RECORD / file) for file in (CERTIFICATE, STEPS))
        read = [dvc.api.read(path, repo=str(root), rev=revision) for path in paths]
    except (DvcException, SCMError, OSError) as error:
        got = str(error).splitlines()[0]
        raise refuse(revision, "keeps no certificate", got=got, want=WANT, exit=Exit.MISSING) from error
    return _of_text(*map(str, read))
