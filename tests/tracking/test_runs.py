"""Which run a word means, for every command alike."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reprolm.compare.select import selected
from reprolm.errors import Exit, ReprolmError
from reprolm.lineage.runs import found
from reprolm.tracking import runs as module
from reprolm.tracking.destination import Destination
from reprolm.tracking.kept import kept
from reprolm.tracking.runs import all_runs, the, word_for

BEGAN = 1_790_000_000_000


def add(to: Destination, name: str, status: str = "FINISHED", **tags: str) -> str:
    """A run that is a second younger than the last."""
    at = BEGAN + 1000 * len(all_runs(to))
    run = str(to.client.create_run(to.experiment, at, tags, name).info.run_id)
    to.client.log_text(run, json.dumps({"name": name}), "train/certificate.json")
    with tempfile.TemporaryDirectory() as folder:
        pd.DataFrame({"loss": [1.0], "gradient_norm": [1.0]}).to_parquet(f"{folder}/steps.parquet")
        to.client.log_artifact(run, f"{folder}/steps.parquet", "train")
    to.client.set_terminated(run, status, at + 1)
    return run


def by_compare(root: Path, to: Destination, word: str) -> Any:
    other = to.client.create_run(to.experiment, 1, {}, "other").info.run_id
    return selected(to, [word, other])[0].data.tags["mlflow.runName"]


def by_found(root: Path, to: Destination, word: str) -> Any:
    """As lineage, recreate and promote do."""
    return found(root, word).run.info.run_name


def by_verify(root: Path, to: Destination, word: str) -> Any:
    return kept(root, word).certificate["name"]


@pytest.mark.parametrize("asked", [by_compare, by_found, by_verify])
def test_every_command_takes_latest_an_id_its_beginning_a_name_and_that_of_an_experiment(
    repository: Path, to: Destination, asked: Callable[[Path, Destination, str], Any]
) -> None:
    one = add(to, "vexed-moth", **{"dvc.exp_name": "steps=40"})
    for word in (one, one[:8], one[:4], "vexed-moth", "steps=40"):
        assert asked(repository, to, word) == "vexed-moth"
    add(to, "birds")
    assert asked(repository, to, "latest") == "birds"
    add(to, "birds", "FAILED")
    add(to, "birds", "RUNNING")
    assert asked(repository, to, "birds") == "birds"
    both = {run.info.run_id[:8] for run in all_runs(to) if run.info.run_name == "birds"}
    add(to, "birds")
    with pytest.raises(ReprolmError, match=r"run: names several runs \(got birds; want one of ") as caught:
        asked(repository, to, "birds")
    assert caught.value.exit is Exit.PARAMETERS
    listed = str(caught.value)
    assert sum(each in listed for each in both) == 1
    assert "(finished 2026-" in listed
    with pytest.raises(ReprolmError) as caught:
        asked(repository, to, "vexed-mothh")
    assert caught.value.exit is Exit.MISSING


def test_runs_are_found_on_every_page_of_the_store(
    repository: Path, to: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "A_TIME", 2)
    names = [f"run-{number}" for number in range(5)]
    ids = [add(to, name) for name in names]
    assert [the(to, name).info.run_id for name in names] == ids
    with pytest.raises(ReprolmError, match="want run-4 or run-3"):
        the(to, "run-43")


def test_where_nothing_has_been_run_that_is_said(repository: Path, to: Destination) -> None:
    with pytest.raises(ReprolmError, match=r"nothing has been run yet \(got latest; want dvc repro first\)"):
        the(to, "latest")


def test_a_sweep_asks_for_its_own_run_where_another_commit_had_one_of_that_name(
    repository: Path, to: Destination
) -> None:
    mine = add(to, "seed=1", **{"dvc.baseline_rev": "a"})
    assert word_for("seed=1", all_runs(to), lambda run: False) == "seed=1"
    newer = add(to, "seed=1", **{"dvc.baseline_rev": "b"})
    runs = all_runs(to)
    assert word_for("seed=1", runs, lambda run: run.data.tags["dvc.baseline_rev"] == "a") == mine[:8]
    assert word_for("seed=1", runs, lambda run: False) == newer[:8]
    assert word_for("seed=2", runs, lambda run: False) == "seed=2"


def test_what_keeps_no_certificate_is_one_line(repository: Path, to: Destination) -> None:
    with pytest.raises(ReprolmError, match="keeps no certificate") as caught:
        kept(repository, "no-such-revision")
    assert caught.value.exit is Exit.MISSING
    empty = to.client.create_run(to.experiment, run_name="empty").info.run_id
    with pytest.raises(ReprolmError, match="run empty: has no certificate"):
        kept(repository, empty)


def test_where_the_store_is_away_that_is_why_a_run_is_not_found(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    for asked in (kept, found):
        with pytest.raises(ReprolmError, match="does not answer") as caught:
            asked(repository, "vexed-moth")
        assert caught.value.exit is Exit.NETWORK
