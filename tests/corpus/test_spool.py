"""Many documents, in memory that does not grow with them."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.settings import ROOT

STATUS = Path("/proc/self/status")
BUILD = """
import sys
from pathlib import Path
from reprolm.corpus.build import build
from tests.corpus.test_build import own
folder = Path(sys.argv[1])
build(own(folder / "text.txt", by="document", separator="|"), folder / "corpus", folder)
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def peak_kib(folder: Path, documents: int) -> int:
    chance = random.Random(1)
    folder.mkdir()
    with (folder / "text.txt").open("wb") as file:
        for _ in range(documents):
            file.write(chance.randbytes(250).hex().encode() + b"|")
    command = [sys.executable, "-c", BUILD, str(folder)]
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=ROOT)
    return int(done.stdout)


@pytest.mark.skipif(not STATUS.is_file(), reason="peak memory is read from /proc")
def test_six_times_as_many_documents_take_no_more_memory(tmp_path: Path) -> None:
    less, more = (peak_kib(tmp_path / str(count), count) for count in (5_000, 30_000))
    assert more < 1.1 * less
