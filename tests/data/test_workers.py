"""The processes of `encode`: they change nothing, and nothing of them is left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from reprolm.data import workers
from reprolm.data.workers import Workers
from reprolm.errors import Exit, ReprolmError
from reprolm.store import publish_directory
from reprolm.tokenizers.character import CharacterTokenizer
from tests.corpus.test_build import build, own, written
from tests.settings import ROOT
from tests.tokenizers.settings import tokenizer_config

TEXTS = ["a few words", "", "of a text"]
HEAVY = {"torch", "mlflow", "pandas", "scipy", "matplotlib"}


@pytest.fixture
def tokenizer(tmp_path: Path) -> CharacterTokenizer:
    made = CharacterTokenizer.train(TEXTS, tokenizer_config(kind="character"))
    with publish_directory(tmp_path / "tokenizer") as directory:
        made.save(directory)
    return made


@pytest.mark.parametrize("count", [1, 3])
def test_batches_come_back_whole_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: CharacterTokenizer, count: int
) -> None:
    monkeypatch.setattr(workers, "cores", lambda: count)
    batches = [TEXTS[i % 3 :] for i in range(40)]
    with Workers(tokenizer, tmp_path / "tokenizer", 1 << 30) as many:
        found = list(many.encoded(iter(batches)))
    assert [batch for batch, _ in found] == batches
    for batch, encoded in found:
        assert [tokenizer.decode(ids.tolist()) for ids in encoded] == batch


def test_a_few_batches_are_on_their_way_and_never_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: CharacterTokenizer
) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 2)
    taken = []
    batches = (taken.append(i) or TEXTS for i in range(100))  # type: ignore[func-returns-value]
    with Workers(tokenizer, tmp_path / "tokenizer", 1 << 30) as two:
        for given, _ in enumerate(two.encoded(batches)):
            assert len(taken) <= given + 1 + 2 * 2 + 1
    assert len(taken) == 100


def test_a_process_that_the_system_kills_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: CharacterTokenizer
) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 2)
    before = set(psutil.Process().children(recursive=True))

    def killed() -> None:
        with Workers(tokenizer, tmp_path / "tokenizer", 1 << 30) as two:
            for index, _ in enumerate(two.encoded(iter([TEXTS] * 100_000))):
                if index == 20:
                    ours = [
                        p
                        for p in set(psutil.Process().children()) - before
                        if "spawn_main" in p.cmdline()[-2]
                    ]
                    ours[0].kill()

    with pytest.raises(ReprolmError, match="one of the processes that tokenize was killed") as error:
        killed()
    assert error.value.exit is Exit.MEMORY


ENDLESS = """
import itertools, multiprocessing, sys
from pathlib import Path
from reprolm.data import encode, workers
from reprolm.data.config import EncodeConfig
from reprolm.errors import guarded
from reprolm.tracking.lifetime import die_with_parent

def batches(texts):
    for index in itertools.count():
        if index == 50:
            print(*(process.pid for process in multiprocessing.active_children()), flush=True)
        yield ["a few words"]

def main():
    die_with_parent()
    base = Path(sys.argv[1])
    paths = (base / "corpus", base / "tokenizer", base / "out" / "tokens")
    encode.encode(EncodeConfig(shard_tokens=1000), *paths)

if __name__ == "__main__":
    workers.FEWEST_BYTES, workers.cores, encode._batches = 0, lambda: 2, batches
    raise SystemExit(guarded(main))
"""
ENDS = [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]


@pytest.mark.parametrize(("number", "code"), ENDS)
def test_whatever_ends_the_stage_ends_its_processes(
    tmp_path: Path, tokenizer: CharacterTokenizer, number: signal.Signals, code: int
) -> None:
    build(own(written(tmp_path / "texts", TEXTS * 9)), tmp_path / "corpus", tmp_path)
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    stage = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], cwd=ROOT, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert stage.stdout is not None
    processes = [psutil.Process(int(pid)) for pid in stage.stdout.readline().split()]
    assert len(processes) == 2
    os.kill(stage.pid, number)
    _, errors = stage.communicate(timeout=60)
    assert stage.returncode == code
    assert not psutil.wait_procs(processes, timeout=60)[1]
    if number != signal.SIGKILL:
        assert errors == ""
        assert not list((tmp_path / "out").iterdir())


def test_the_processes_import_nothing_heavy() -> None:
    code = (
        "import runpy, sys\n"
        "runpy.run_path('stages/encode.py', run_name='__mp_main__')\n"
        "import reprolm.data.encode\n"
        f"print(*{HEAVY} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"PYTHONPATH": "stages:src"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "\n"
