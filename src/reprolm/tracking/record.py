"""The record of an execution: a local journal to which its stages append. MLflow is sent what stands in it.

Every line has `at` (milliseconds since 1970) and `kind`: opened, started, horizon, point, coarser, numbers,
tag, dataset, file, table, curve, outputs, cached or ended; the last may be `over`, of a `dvc` that ended with
an error. Behind `coarser` stand, of each series, one point in `every` and, before `ended`, the last. Files
that MLflow shall show are copied beside it when they are recorded, because the workspace of a queued one is
removed at its end.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from reprolm.errors import Exit, ReprolmError, Stopped
from reprolm.journal import Journal, stream
from reprolm.store import digest, directory_digest, publish_file, read_json
from reprolm.tracking.changed import changed, committed
from reprolm.tracking.coarse import Coarse
from reprolm.tracking.datasets import CORPUS, splits
from reprolm.tracking.identity import Execution
from reprolm.tracking.lineage import lineage
from reprolm.tracking.location import executions
from reprolm.tracking.pipeline import CURVE, LOCK, STAGES, stages_of

JOURNAL = "journal.jsonl"
FILES = "files"
PATCH = Path("source/uncommitted.patch")
KEPT_LOCK = Path("source/dvc.lock")
RECREATES = "REPROLM_RECREATES"
"""Names, for the run of `reprolm recreate`, the run that it is to be compared with."""


def milliseconds(seconds: float) -> int:
    """A time in the unit of MLflow."""
    return round(seconds * 1000)


def flattened(values: Mapping[str, Any], separator: str, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one.

    >>> flattened({"sliding": {"loss": 3.0}, "loss": 3.1}, "/")
    {'sliding/loss': 3.0, 'loss': 3.1}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, separator, f"{prefix}{key}{separator}")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def parameters(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that act; where some are wrong, all that stand in the file."""
    from reprolm.params import acting

    try:
        return acting(raw)
    except ReprolmError:
        return flattened(raw, ".")


class Record:
    """What one stage adds to the journal of its execution.

    No fault of the record ends a stage: what can be recorded is, and one line says that something is missing;
    `fault` is the first. `directory` is None where the record could not be opened.
    """

    def __init__(self, root: Path, stage: str, params: Mapping[str, Any]) -> None:
        self.stage = stage
        self._params = params
        self.directory: Path | None = None
        self._journal: Journal | None = None
        self._began, self.fault = time.monotonic(), ""
        self._coarse, self._held = Coarse(), dict[str, tuple[int, int, float]]()
        self._safely(lambda: self._open(root, params))

    def _safely(self, function: Callable[[], None]) -> None:
        try:
            function()
        except Stopped:
            raise
        except Exception as error:
            # opened anew before the next record, which cuts off one that was half written
            self._journal = None
            if not self.fault:
                print(f"tracking: the record is incomplete: {error}", file=sys.stderr)
            self.fault = self.fault or str(error) or repr(error)

    def _open(self, root: Path, params: Mapping[str, Any]) -> None:
        execution = Execution.current()
        directory = execution.directory(executions(root))
        with Journal(directory / JOURNAL) as journal:
            opening = next(stream(journal.path), None) is None
            if opening:
                tags, patch = lineage()
                if original := os.environ.get(RECREATES):
                    tags["recreates"] = original
                acting = parameters(params)
                if (base := committed()) and (different := changed(parameters(base), acting)):
                    tags["changed"] = different
                fields = {"execution": execution.record(), "params": acting, "tags": tags}
                journal.append({"at": milliseconds(time.time()), "kind": "opened", **fields})
        before = stream(directory / JOURNAL)
        known = {record["stage"] for record in before if record["kind"] in ("started", "cached")}
        self.directory = directory
        if opening and patch:
            self._safely(lambda: self._keep("file", self.stage, PATCH, patch))
        for name in STAGES[self.stage].after:
            if name not in known:
                self._safely(partial(self._add_cached, name))
        self.add("started", pid=os.getpid(), born=psutil.Process().create_time())

    def _append(self, kind: str, **fields: Any) -> None:
        if self.directory is None:
            return
        if self._journal is None:
            self._journal = Journal(self.directory / JOURNAL)
        at = fields.pop("at", milliseconds(time.time()))
        self._journal.append({"at": at, "kind": kind, **fields})

    def add(self, kind: str, **fields: Any) -> None:
        """Appends one record of this stage."""
        self._safely(lambda: self._append(kind, stage=self.stage, **fields))

    def add_point(self, step: int, values: Mapping[str, float], at: int) -> None:
        """Appends a point of some curves; where the journal has grown too long, of those that are due."""
        self._safely(lambda: self._append_point(step, values, at))

    def _append_point(self, step: int, values: Mapping[str, float], at: int) -> None:
        due, fine = self._coarse.due(values), self._coarse.every == 1
        self._held |= {name: (step, at, value) for name, value in values.items()}
        if due:
            self._append("point", stage=self.stage, step=step, values=due, at=at)
        for name in due:
            del self._held[name]
        if self._journal is not None and self._coarse.grown(self._journal.size):
            self._append("coarser", stage=self.stage, step=step, every=self._coarse.every)
            if fine:
                what = f"the record has passed its bound: after step {step:,} curves are coarser"
                print(f"tracking: {what}; results are whole", file=sys.stderr)

    def _release(self) -> None:
        """Appends the last value of each series that ends between two points that were due."""
        for step, at in sorted({each[:2] for each in self._held.values()}):
            values = {name: value for name, (*when, value) in self._held.items() if when == [step, at]}
            self._append("point", stage=self.stage, step=step, values=values, at=at)
        self._held.clear()

    def add_file(self, source: Path, folder: str) -> None:
        """Keeps a copy of a file, for MLflow to show in `folder`."""
        path = Path(folder) / source.name
        self._safely(lambda: self._keep("file", self.stage, path, source.read_bytes()))

    def add_text(self, path: Path, content: str) -> None:
        """Keeps a text, for MLflow to show as a file."""
        self._safely(lambda: self._keep("file", self.stage, path, content.encode()))

    def _keep(self, kind: str, stage: str, path: Path, content: bytes) -> None:
        if self.directory is not None:
            publish_file(self.directory / FILES / path, content)
            self._append(kind, stage=stage, path=str(path))

    def add_table(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Keeps a table, in the form in which MLflow shows one beside those of other runs."""
        rows = [list(row) for row in zip(*columns.values(), strict=True)]
        content = json.dumps({"columns": list(columns), "data": rows}, ensure_ascii=False).encode()
        self._safely(lambda: self._keep("table", self.stage, Path(name), content))

    def _add_cached(self, name: str) -> None:
        """What a stage that DVC skipped made when it last ran, from its tracked files."""
        entry = STAGES[name]
        if not entry.metrics.is_file():
            return
        digests = {}
        try:
            if entry.output is not None:
                digests[entry.output.name] = directory_digest(entry.output)
        except ReprolmError as error:
            # whoever reads the output refuses it; the numbers of the stage stand nevertheless
            print(f"tracking: {error}", file=sys.stderr)
        numbers = read_json(entry.metrics)
        self._append("cached", stage=name, numbers=numbers, outputs=digests)
        self._keep("file", name, entry.metrics, entry.metrics.read_bytes())
        if digests and entry.output == CORPUS:
            for data in splits(flattened(self._params, ".")["data.source"]):
                self._append("dataset", stage=name, **data)
        if name == "train" and CURVE.is_file():
            self._keep("curve", name, CURVE, CURVE.read_bytes())

    def add_lock(self) -> None:
        """Keeps dvc.lock as the stages before this one left it: the entry of this one comes after its end."""
        if LOCK.is_file():
            content = LOCK.read_bytes()
            stages = {name: entry for name, entry in stages_of(content).items() if name != self.stage}
            self.add("tag", key="digest.dvc.lock", value=digest(stages))
            self._safely(lambda: self._keep("file", self.stage, KEPT_LOCK, content))

    def end(self, code: int, error: str = "") -> float:
        """Ends the record of this stage; returns how many seconds it took."""
        seconds = time.monotonic() - self._began
        words = {Exit.DONE: "done", Exit.INTERRUPTED: "killed", Exit.TERMINATED: "killed"}
        status = words.get(Exit(code), "failed") if code in set(Exit) else "failed"
        self._safely(self._release)
        self.add("ended", status=status, exit=int(code), error=error, seconds=seconds)
        if self._journal is not None:
            self._safely(self._journal.sync)
        return seconds
