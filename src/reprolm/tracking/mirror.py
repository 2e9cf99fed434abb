"""One execution's journal, sent to MLflow: everything once, whatever is killed or unreachable in between.

`shipped.json` beside the journal holds how far MLflow has acknowledged it. What is sent again after a kill
leaves no second copy: points carry their first timestamps, the run is found by the tag of its execution, and
all else replaces itself.
"""

import itertools
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psutil

from reprolm.errors import ReprolmError
from reprolm.journal import count, read, stream
from reprolm.store import publish_json, read_json, step
from reprolm.tracking.completion import completed
from reprolm.tracking.computed import computing_run
from reprolm.tracking.destination import Destination, forbidden, gone, reason, unknown_to
from reprolm.tracking.every_step import shown_as, write_parquet
from reprolm.tracking.identity import Execution
from reprolm.tracking.model import keep_model
from reprolm.tracking.record import FILES, JOURNAL
from reprolm.tracking.translation import LONGEST_TAG, Parcel, Translation, text

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

SHIPPED = "shipped.json"
MOST_RECORDS_A_TIME = 2000
MOST_POINTS_A_BATCH = 1000
MOST_WORDS_A_BATCH = 100
LONGEST_DIGEST = 36
LONGEST_NAME = 250
LONGEST_SOURCE = 1000
RUNNING = "RUNNING"
STAGE = "reprolm.stage"
DELETED = "must be in the 'active' state"
T = TypeVar("T")


@dataclass
class Shipped:
    """What MLflow has: the journal up to a byte, as which run, with which status; `error` why no more.

    `summed_up` is the byte up to which the run's description and its model tell of it, `over` that nothing
    more will come.
    """

    offset: int = 0
    run: str = ""
    status: str = RUNNING
    error: str = ""
    over: bool = False
    summed_up: int = 0

    @property
    def whole(self) -> bool:
        """Whether MLflow has all that it was to have of what was sent."""
        return self.status != RUNNING and self.summed_up == self.offset

    @classmethod
    def of(cls, directory: Path) -> "Shipped":
        """That of an execution's directory."""
        path = directory / SHIPPED
        try:
            return cls(**read_json(path)) if path.is_file() else cls()
        except (ReprolmError, TypeError):
            # of another version, or damaged: all is sent again, and nothing doubled
            return cls()

    def save(self, directory: Path) -> None:
        """Keeps it; a directory that was removed stays so."""
        if directory.is_dir():
            publish_json(directory / SHIPPED, asdict(self))


def pending(directory: Path) -> int:
    """How many records MLflow lacks."""
    return count(directory / JOURNAL, Shipped.of(directory).offset)


def execution_of(directory: Path) -> Execution | None:
    """Whose journal lies in a directory; None before its first record."""
    first = next(stream(directory / JOURNAL), None)
    return Execution.from_record(first["execution"]) if first else None


def note_failure(directory: Path, error: Exception) -> bool:
    """Keeps why nothing was sent, and tells whether that is news; what was not acknowledged is sent again."""
    shipped = Shipped.of(directory)
    before = shipped.error
    if gone(error):
        # the store was replaced: the run is made anew
        shipped = Shipped()
    # a run that its owner deleted stays so
    shipped.over = bool(shipped.run) and shipped.run in str(error) and DELETED in str(error)
    shipped.error = reason(directory.parents[2], error)
    shipped.save(directory)
    return shipped.error != before


def forget_failure(directory: Path) -> None:
    """Takes back what an earlier process noted: who sends from now on may reach the store."""
    shipped = Shipped.of(directory)
    if shipped.error:
        shipped.error = ""
        shipped.save(directory)


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(items)
    while batch := list(itertools.islice(source, size)):
        yield batch


class Mirror:
    """The run of one execution in MLflow."""

    def __init__(self, directory: Path, to: Destination) -> None:
        self.directory, self._to, self._client = directory, to, to.client
        self.shipped = Shipped.of(directory)
        self._known = Translation(directory)
        for record in stream(directory / JOURNAL, end=self.shipped.offset):
            self._known.take([record])

    def ship(self) -> bool:
        """Sends what is new and sets the run's status; tells whether nothing more can come.

        Raises:
            MlflowException: the store does not answer, or refuses.
        """
        departed = self._known.departed()
        before, news = asdict(self.shipped), False
        # a store that is there for a moment now and then takes a long journal piece by piece
        for records, end in self._parts():
            self._send(records)
            self.shipped.offset, news = end, True
            self.shipped.save(self.directory)
            before = asdict(self.shipped)
        status = self._known.status(departed, self._completed)
        if self.shipped.run and status != self.shipped.status:
            self._conclude(status, departed[0])
            self.shipped.status = status
            self.shipped.save(self.directory)
        if self.shipped.run and status != RUNNING and not self.shipped.whole:
            self._sum_up()
            self.shipped.summed_up = self.shipped.offset
        self.shipped.over = departed[1] and not news
        self.shipped.error = ""
        if asdict(self.shipped) != before:
            self.shipped.save(self.directory)
        return self.shipped.over

    def _parts(self) -> Iterator[tuple[list[dict[str, Any]], int]]:
        """What is there now, in pieces, each with the byte at which it ends.

        What a fast training writes meanwhile waits for the next look: one by one its points keep a core busy.
        """
        many = MOST_RECORDS_A_TIME
        while many == MOST_RECORDS_A_TIME:
            records, end = read(self.directory / JOURNAL, self.shipped.offset, MOST_RECORDS_A_TIME)
            if records:
                yield records, end
            many = len(records)

    def _completed(self, ended: Mapping[str, int]) -> bool:
        execution = self._known.execution
        root = self.directory.parents[2]
        return execution is None or completed(root, execution.kind, execution.command, ended)

    def _send(self, records: list[dict[str, Any]]) -> None:
        from mlflow.entities import Metric, Param, RunTag

        parcel = self._known.take(records)
        if not self.shipped.run:
            self.shipped.run = self._run(parcel)
            self.shipped.save(self.directory)
        run, client = self.shipped.run, self._client
        for names in _batches(parcel.params.items(), MOST_WORDS_A_BATCH):
            step("ship")
            client.log_batch(run, params=[Param(name, value) for name, value in names])
        for points in _batches(parcel.points, MOST_POINTS_A_BATCH):
            step("ship")
            client.log_batch(run, metrics=[Metric(*point) for point in points])
        for tags in _batches((parcel.tags | self._computed(parcel)).items(), MOST_WORDS_A_BATCH):
            step("ship")
            client.log_batch(run, tags=[RunTag(name, value) for name, value in tags])
        if parcel.datasets:
            step("ship")
            client.log_inputs(run, datasets=[_dataset(entry) for entry in parcel.datasets])
        self._send_files([path for path in parcel.files if (self.directory / FILES / path).is_file()])

    def _send_files(self, paths: list[Path]) -> None:
        sent: dict[str | None, set[str]] = {}
        for path in paths:
            step("ship")
            sent.setdefault(_folder(path), set()).add(self._send_file(path))
        # a proxy between may answer in the place of MLflow, which takes any answer to a file for success
        for folder, names in sent.items():
            if lost := names - self._there(folder, names):
                raise ConnectionError(f"{min(lost)} was sent and is not there")

    def _send_file(self, path: Path) -> str:
        """Sends a file of the record; its path in the run."""
        source = self.directory / FILES / path
        with tempfile.TemporaryDirectory() as place:
            table = Path(place) / shown_as(path).name
            if table.name != path.name and write_parquet(source, table):
                source = table
            self._client.log_artifact(self.shipped.run, str(source), _folder(path))
        return (path.parent / source.name).as_posix()

    def _there(self, folder: str | None, believed: set[str]) -> set[str]:
        """The files of a folder of the run; what is believed, where a server cannot tell MLflow's client."""
        try:
            return {entry.path for entry in self._client.list_artifacts(self.shipped.run, folder)}
        except Exception as error:
            if not unknown_to(error):
                raise
            return believed

    def _run(self, parcel: Parcel) -> str:
        """The run of this execution: that which bears its tag, else a new one."""
        execution = self._known.execution
        assert execution is not None, "a journal begins with `opened`"
        identity = {
            "reprolm.execution": self.directory.name,
            "dvc.process": f"{execution.host}:{execution.pid}",
            "dvc.kind": execution.kind,
            "dvc.exp_name": execution.name or "",
            "dvc.baseline_rev": execution.baseline or "",
            "mlflow.user": psutil.Process().username(),
            "mlflow.source.type": "LOCAL",
            "mlflow.source.name": execution.command[:LONGEST_SOURCE],
            "mlflow.source.git.commit": parcel.tags.get("git.commit", ""),
        }
        wanted = f"tags.`reprolm.execution` = '{self.directory.name}'"
        for run in self._client.search_runs([self._to.experiment], wanted, max_results=1):
            return str(run.info.run_id)
        step("ship")
        tags = {name: text(value, LONGEST_TAG) for name, value in identity.items() if value}
        name = execution.name and text(execution.name, LONGEST_NAME)
        run = self._client.create_run(self._to.experiment, self._known.opened_at, tags, name)
        return str(run.info.run_id)

    def _computed(self, parcel: Parcel) -> dict[str, str]:
        """For stages taken from the cache: the newest run that computed just that."""
        found = {stage: computing_run(self._to, stage, digest) for stage, digest in parcel.cached.items()}
        return {f"stage.{stage}.computed_by": str(run.info.run_id) for stage, run in found.items() if run}

    def _conclude(self, status: str, gone: set[str]) -> None:
        run = self.shipped.run
        for stage in gone & set(self._known.running):
            self._client.set_tag(run, f"stage.{stage}", "killed")
            self._client.set_tag(run, "error", f"{stage}: the process was killed")
        step("ship")
        if status == RUNNING:
            self._client.update_run(run, status)
        else:
            self._client.set_terminated(run, status, self._known.last_at)

    def _sum_up(self) -> None:
        """What is told of a run that has ended: again, where another stage went on after one that failed."""
        if words := self._known.description():
            self._client.set_tag(self.shipped.run, "mlflow.note.content", words)
        if not self._known.model:
            return
        try:
            keep_model(self._to, self.shipped.run, self._known.scalars())
        except Exception as error:
            # who may write runs and no models has runs without; `promote` says why
            if not forbidden(error):
                raise


def _folder(path: Path) -> str | None:
    """Where a run shows a file; None: at its top."""
    return None if path.parent == Path() else path.parent.as_posix()


def _dataset(entry: dict[str, str]) -> "DatasetInput":
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = json.dumps({"uri": entry["source"], "sha256": entry["digest"]})
    data = Dataset(entry["name"], entry["digest"][:LONGEST_DIGEST], "local", source)
    tags = [InputTag("mlflow.data.context", entry["context"]), InputTag(STAGE, entry["stage"])]
    return DatasetInput(data, tags)
