"""A repository of the project's files with a small text and a small model, in which DVC runs for real."""

import contextlib
import os
import pty
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import ruamel.yaml
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.settings import ROOT

BIN = Path(sys.executable).parent
SMALL = {
    "threads": 1,
    "data.source": "files",
    "data.split.train": 0.8,
    "data.split.validation": 0.1,
    "data.split.test": 0.1,
    "data.files.separator": "\n\n",
    "tokenizer.vocab_size": 300,
    "model.context_length": 32,
    "model.n_layers": 2,
    "model.d_model": 32,
    "model.n_heads": 2,
    "model.n_kv_heads": 1,
    "model.d_ff": 64,
    "train.steps": 40,
    "train.batch_size": 8,
    "train.warmup_steps": 4,
    "train.validate_every_steps": 10,
    "train.log_every_steps": 2,
    "train.checkpoint_every_steps": 5,
    "evaluate.stride": 16,
    "sample.prompts": ["the "],
    "sample.max_new_tokens": 20,
}
WORDS = (
    *("the", "a", "cat", "dog", "tree", "house", "sees", "finds", "likes", "old", "green", "small"),
    *("and", "then", "under", "over", "quickly", "never"),
)


def story(paragraphs: int = 200, words: Sequence[str] = WORDS) -> str:
    """Text that is the same every time."""
    chance = random.Random(0)
    lines = (" ".join(chance.choice(words) for _ in range(40)).capitalize() + "." for _ in range(paragraphs))
    return "\n\n".join(lines) + "\n"


class Workspace:
    """A git repository with the pipeline, and the commands that a user types in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def environment(self) -> dict[str, str]:
        """That of a shell with the project's environment activated, and nothing of DVC's in it."""
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("DVC", "MLFLOW", "REPROLM", "PYTEST"))
        }
        identity = {
            f"GIT_{who}_{what}": "test@example.com"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        return kept | identity | {"PATH": f"{BIN}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}

    def run(self, *command: str, code: int = 0, **variables: str) -> str:
        """Runs a command, expects its exit code, returns what it printed."""
        done = subprocess.run(
            command, cwd=self.path, env=self.environment() | variables, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout
        return done.stdout

    def start(self, *command: str) -> "subprocess.Popen[str]":
        """Starts a command in a process group of its own."""
        return subprocess.Popen(
            command, cwd=self.path, env=self.environment(), text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def typed(self, *command: str, answer: str) -> str:
        """Runs a command on a terminal, where one line is typed; returns what the terminal was sent."""
        terminal, other = pty.openpty()
        with subprocess.Popen(
            command, cwd=self.path, env=self.environment() | {"COLUMNS": "100", "LINES": "24"},
            stdin=other, stdout=other, stderr=other, start_new_session=True,
        ) as process:  # fmt: skip
            os.close(other)
            os.write(terminal, f"{answer}\n".encode())
            output = b""
            with contextlib.suppress(OSError):  # so Linux tells that nobody writes any more
                while part := os.read(terminal, 4096):
                    output += part
        os.close(terminal)
        assert process.returncode == 0, output.decode()
        return output.decode()

    def set(self, **values: Any) -> None:
        """Edits params.yaml as a user does; `__` stands for a dot."""
        self.edit({key.replace("__", "."): value for key, value in values.items()})

    def edit(self, values: dict[str, Any]) -> None:
        """Edits params.yaml."""
        yaml = ruamel.yaml.YAML()
        path = self.path / "params.yaml"
        params = yaml.load(path.read_text())
        for key, value in values.items():
            *groups, name = key.split(".")
            place = params
            for group in groups:
                place = place[group]
            assert name in place, key
            place[name] = value
        with path.open("w") as file:
            yaml.dump(params, file)

    def commit(self, message: str = "work") -> None:
        """Commits everything."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message)

    def status(self) -> str:
        """What git sees as changed."""
        return self.run("git", "status", "--porcelain")

    def sync(self, **variables: str) -> None:
        """Sends what is left, when whoever is at it, or has given it up, is gone."""
        until = time.monotonic() + 180
        while True:
            done = subprocess.run(
                ["reprolm", "sync"], cwd=self.path, env=self.environment() | variables, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            )  # fmt: skip
            if done.returncode == 0 and "a process sends" not in done.stdout:
                return
            held = "a process sends" in done.stdout or "is held by" in done.stdout
            assert held, done.stdout
            assert time.monotonic() < until, done.stdout
            time.sleep(0.5)

    def runs(self) -> list[Run]:
        """The runs in the MLflow store, oldest first, after everything recorded was sent."""
        self.sync()
        if not (self.path / "mlflow.db").exists():
            return []
        client = self.client()
        ids = [experiment.experiment_id for experiment in client.search_experiments()]
        return sorted(client.search_runs(ids), key=lambda run: run.info.start_time)

    def client(self) -> MlflowClient:
        """A client of the store."""
        return MlflowClient(f"sqlite:///{self.path / 'mlflow.db'}")

    def ran(self, output: str) -> list[str]:
        """The stages that a command ran."""
        return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage '")]

    def copied(self, path: Path) -> "Workspace":
        """The same state of work in another place."""
        shutil.copytree(self.path, path, symlinks=True)
        shutil.rmtree(path / ".reprolm", ignore_errors=True)
        (path / "mlflow.db").unlink(missing_ok=True)
        return Workspace(path)

    def clone(self, path: Path) -> "Workspace":
        """A fresh clone, as another person makes it."""
        self.run("git", "clone", "-q", str(self.path), str(path))
        return Workspace(path)


def tracked_files() -> Iterable[str]:
    """The project's files that git tracks or would track, those that a run makes apart."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    made = ("metrics/", "plots/", "dvc.lock", "tests/", "docs/", "benchmarks/")
    return [
        name for name in listed.stdout.splitlines() if not name.startswith(made) and (ROOT / name).is_file()
    ]


def new(path: Path) -> Workspace:
    """A fresh repository with a small text in `texts/`."""
    for name in tracked_files():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, path / name)
    workspace = Workspace(path)
    workspace.edit(SMALL)
    (path / "texts" / "story.txt").write_text(story())
    workspace.run("git", "init", "-q", "-b", "main")
    workspace.commit("A small pipeline")
    return workspace
