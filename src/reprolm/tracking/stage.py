"""What a stage script is given, and how it is run: parameters in, numbers and files out, the end recorded."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from reprolm import config
from reprolm.config import Config
from reprolm.distributed.ranks import place
from reprolm.errors import Exit, ReprolmError, Stopped, classified, guarded, refuse
from reprolm.store import publish_json
from reprolm.tracking import planned, shipper
from reprolm.tracking.lifetime import die_with_parent
from reprolm.tracking.location import checkpoints, root
from reprolm.tracking.pipeline import CLOSING, STAGES
from reprolm.tracking.prompts import require_writable
from reprolm.tracking.record import Record, milliseconds
from reprolm.tracking.required import require
from reprolm.tracking.shown import LAST_LINE

C = TypeVar("C", bound=Config)
PARAMS = Path("params.yaml")


class Stage:
    """A stage at work. Its parameters are those that `params.yaml` held when it started."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._params = config.read_params(PARAMS)
        self.root = root()
        self.checkpoints = checkpoints(self.root)
        # of several processes that train together the first records
        records = name in STAGES and place().rank == 0
        self._record = Record(self.root, name, self._params) if records else None
        self._numbers: Mapping[str, Any] = {}
        self._watched = self._record.directory if self._record is not None and shipper.wanted() else None
        if self._watched is not None:
            shipper.start(self._watched)

    def params(self) -> dict[str, Any]:
        """The whole of `params.yaml`, raw."""
        return self._params

    def section(self, name: str, kind: type[C]) -> C:
        """A section of the parameters.

        Raises:
            ReprolmError: one line for each thing that is wrong (exit 2).
        """
        return config.section(self._params, name, kind)

    def number(self, name: str) -> int:
        """A parameter that stands in no section: `seed`, `threads`.

        Raises:
            ReprolmError: it is missing, or no whole number (exit 2).
        """
        value = self._params.get(name)
        if type(value) is not int or value < 0:
            raise refuse(name, "has a wrong value", got=value, want="a whole number", exit=Exit.PARAMETERS)
        return value

    def require_store(self) -> None:
        """Ends here what would have no store, where its user wants that (`REPROLM_TRACKING=required`).

        Raises:
            ReprolmError: as `required.require` (exit 74, 69, 66 or 2).
        """
        if place().rank == 0:
            record = self._record
            fault = record.fault if record is not None and record.directory is None else ""
            require(self.root, self._watched, fault)

    def require_prompts(self, tokenizer: Path) -> None:
        """Refuses prompts that a tokenizer cannot write; no output hangs on them, so they are no dependency.

        Raises:
            ReprolmError: a line for each prompt (exit 65).
        """
        require_writable(self._params, tokenizer)

    def metrics(self, numbers: Mapping[str, Any]) -> None:
        """Publishes the deterministic numbers of this stage as `metrics/<stage>.json`, which git tracks."""
        publish_json(STAGES[self.name].metrics, numbers)
        self._numbers = numbers
        self._add("numbers", numbers=numbers)
        self.artifact(STAGES[self.name].metrics, "metrics")

    def timings(self, numbers: Mapping[str, float]) -> None:
        """Records numbers that differ each time; a run shows those that `shown` lists."""
        self._add("numbers", numbers=numbers)

    def took(self, quantities: Mapping[str, float]) -> None:
        """Records what the work took; where `reprolm plan` foresaw it, tags say how well."""
        self.timings(quantities)
        for key, words in planned.compared(self.root, self._params, quantities).items():
            self.tag(key, words)

    def horizon(self, steps: int) -> None:
        """Records how many steps there will be: the curves are thinned by it."""
        self._add("horizon", steps=steps)

    def point(self, step: int, values: Mapping[str, float], at: float) -> None:
        """Records a point of each of some curves, at a time in seconds since 1970."""
        if self._record is not None:
            self._record.add_point(step, values, milliseconds(at))

    def dataset(self, *, name: str, digest: str, source: str, context: str) -> None:
        """Records data that was used, and as what: `context` is training, validation or test."""
        self._add("dataset", name=name, digest=digest, source=source, context=context)

    def artifact(self, path: Path, folder: str) -> None:
        """Shows a copy of a file in a folder of the run."""
        if self._record is not None:
            self._record.add_file(path, folder)

    def artifacts(self, directory: Path) -> None:
        """Shows copies of the files of a directory, in a folder of its name."""
        for path in sorted(directory.glob("*.*")):
            self.artifact(path, directory.name)

    @contextmanager
    def shown_if_it_fails(self, directory: Path) -> Iterator[None]:
        """Shows the files of a directory where what is done here ends in an error."""
        try:
            yield
        except ReprolmError:
            self.artifacts(directory)
            raise

    def text(self, content: str, name: Path) -> None:
        """Shows a text as a file of the run that lies nowhere else."""
        if self._record is not None:
            self._record.add_text(name, content)

    def table(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Shows a table, given as columns of one length."""
        if self._record is not None:
            self._record.add_table(name, columns)

    def tag(self, key: str, value: str) -> None:
        """Sets a tag of the run."""
        self._add("tag", key=key, value=value)

    def tags(self, **values: str | int) -> None:
        """Sets some tags of the run."""
        for key, value in values.items():
            self.tag(key, str(value))

    def outputs(self, digests: Mapping[str, str]) -> None:
        """Records what this stage made, by digest: a run that takes it from the cache names this one."""
        self._add("outputs", outputs=digests)

    def _add(self, kind: str, **fields: Any) -> None:
        if self._record is not None:
            self._record.add(kind, **fields)

    def end(self, code: int, error: str = "") -> None:
        """Records how this stage ended, and says so."""
        if self._record is None:
            return
        if code == Exit.DONE and self.name == CLOSING:
            self._record.add_lock()
        seconds = self._record.end(code, error)
        if code == Exit.DONE:
            shown = [key for key in LAST_LINE.get(self.name, ()) if key in self._numbers]
            words = [f"{key.replace('_', ' ')} {_short(self._numbers[key])}" for key in shown]
            print(", ".join([f"{self.name}: {seconds:.1f} s", *words]), file=sys.stderr)
            if self.name == CLOSING and self._watched is not None:
                shipper.flush(self._watched)


def _short(value: Any) -> str:
    return (
        f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    )


def _code(error: BaseException) -> tuple[Exit, str]:
    """The exit code of what ended a stage, and its line."""
    if isinstance(error, Stopped):
        return error.exit, ""
    if isinstance(error, KeyboardInterrupt):
        return Exit.INTERRUPTED, ""
    known = classified(error)
    return (known.exit, str(known)) if known else (Exit.BUG, repr(error))


def _perform(name: str, main: Callable[[Stage], None]) -> None:
    die_with_parent()
    stage = Stage(name)
    try:
        stage.require_store()
        main(stage)
    except ModuleNotFoundError as error:
        lack = without(error.name or str(error))
        stage.end(*_code(lack))
        raise lack from error
    except BaseException as error:
        stage.end(*_code(error))
        raise
    stage.end(Exit.DONE)


def without(module: str) -> ReprolmError:
    """The error of an interpreter that lacks a package."""
    want = "the project's environment: source .venv/bin/activate"
    return refuse(sys.executable, f"lacks {module}", want=want, exit=Exit.MISSING)


def run(name: str, main: Callable[[Stage], None]) -> int:
    """Runs the stage `name`, returns its exit code."""
    return guarded(lambda: _perform(name, main))
