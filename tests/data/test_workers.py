"""The processes of `encode`: whatever ends the stage ends them, and nothing is left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from reprolm.store import publish_directory
from reprolm.tokenizers.character import CharacterTokenizer
from tests.corpus.test_build import build, own, written
from tests.settings import ROOT
from tests.tokenizers.settings import tokenizer_config

TEXTS = ["a few words", "and a text"]
HEAVY = {"torch", "mlflow", "pandas", "scipy", "matplotlib"}
ENDLESS = """
import itertools, multiprocessing, sys
from pathlib import Path
from reprolm import processes
from reprolm.data import encode, workers
from reprolm.data.config import EncodeConfig
from reprolm.errors import guarded
from reprolm.tracking.lifetime import die_with_parent

def batches(texts, most_characters):
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
    workers.FEWEST_BYTES, processes.cores, encode.batches = 0, lambda: 2, batches
    raise SystemExit(guarded(main))
"""
ENDS = [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]


@pytest.mark.parametrize(("number", "code"), ENDS)
def test_whatever_ends_the_stage_ends_its_processes(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    build(own(written(tmp_path / "texts", TEXTS * 9)), tmp_path / "corpus", tmp_path)
    with publish_directory(tmp_path / "tokenizer") as directory:
        CharacterTokenizer.train(TEXTS, tokenizer_config(kind="character")).save(directory)
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
