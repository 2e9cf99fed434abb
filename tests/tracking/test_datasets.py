"""The data of a run: each split with the digest of its own file."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from reprolm.store import file_sha256
from reprolm.tracking.destination import Destination
from reprolm.tracking.shipper import sync
from tests.settings import ROOT
from tests.tracking.runs import runs


def test_a_download_records_each_split_with_the_digest_of_its_own_file(
    repository: Path, to: Destination
) -> None:
    shutil.copytree(ROOT / "src", repository / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (repository / "stages").mkdir()
    for name in ("_stage.py", "download.py"):
        shutil.copy(ROOT / "stages" / name, repository / "stages")
    params = (ROOT / "params.yaml").read_text().replace("source: docstrings", "source: files", 1)
    (repository / "params.yaml").write_text(params)
    (repository / "texts").mkdir()
    for number in range(60):
        (repository / "texts" / f"{number}.txt").write_text(f"Story {number}, of a cat.")
    command, environment = [sys.executable, "stages/download.py"], os.environ | {"REPROLM_TRACKING": "off"}
    subprocess.run(command, cwd=repository, env=environment, check=True)
    sync(repository)
    (run,) = runs(to)
    data = {each.dataset.name: each.dataset for each in run.inputs.dataset_inputs}
    sources = {name: json.loads(each.source) for name, each in data.items()}
    assert set(data) == {"files/train", "files/validation", "files/test"}
    assert len({each.digest for each in data.values()}) == len(data)
    for name, source in sources.items():
        assert source["sha256"] == file_sha256(repository / source["uri"])
        assert source["sha256"].startswith(data[name].digest)
