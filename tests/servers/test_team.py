"""A team with PostgreSQL, an S3 store and passwords, as docs/team.md sets it up."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from reprolm.store import file_sha256
from reprolm.tracking.destination import connect
from reprolm.tracking.mirror import pending
from reprolm.tracking.shipper import sync
from tests.pipeline import workspace
from tests.pipeline.workspace import Workspace
from tests.servers.machines import BUCKET, Team
from tests.tracking.executions import Written
from tests.tracking.runs import files, history, picture, runs

pytestmark = pytest.mark.servers
MODEL = Path("models/model/model.safetensors")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, servers: Team) -> Workspace:
    """A repository whose DVC remote is the team's store."""
    made = workspace.new(tmp_path_factory.mktemp("member") / "repository")
    made.run("dvc", "remote", "add", "-d", "team", f"s3://{BUCKET}/dvc")
    made.run("dvc", "remote", "modify", "team", "endpointurl", servers.s3)
    made.commit("The team's store")
    return made


def test_one_trains_and_another_has_run_and_model(work: Workspace, member: Team, tmp_path: Path) -> None:
    without = {"MLFLOW_TRACKING_URI": member.mlflow}
    said = work.run("dvc", "repro", **without)
    assert "401" in said
    assert "run: reprolm sync" in said
    everything, others = member.member("ann"), member.member("ben")
    work.sync(**everything)  # the one without a password gives up soon
    client = MlflowClient(member.mlflow)
    (run,) = client.search_runs([client.get_experiment_by_name("reprolm").experiment_id])
    assert run.info.status == "FINISHED"
    assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
    steps = [point.step for point in client.get_metric_history(run.info.run_id, "train/loss")]
    assert steps == list(range(2, 41, 2))
    report = client.download_artifacts(run.info.run_id, "report/index.html", str(tmp_path))
    assert Path(report).read_bytes() == (work.path / "reports" / "index.html").read_bytes()
    work.commit("The results")
    work.run("dvc", "push", **everything)
    other = work.clone(tmp_path / "other")
    other.run("dvc", "pull", **others)
    assert file_sha256(other.path / MODEL) == file_sha256(work.path / MODEL)
    assert other.ran(other.run("dvc", "repro", **others)) == ["check", "report"]
    assert other.status() == ""
    _looks_at(other, run.info.run_name, client, others)


def _looks_at(other: Workspace, name: str, client: MlflowClient, everything: dict[str, str]) -> None:
    """What someone else does with the run, over the server alone."""
    assert "computed by this run" in other.run("reprolm", "lineage", name, **everything)
    assert "nothing differs" in other.run("reprolm", "compare", name, "latest", **everything)
    said = other.run("reprolm", "promote", name, "--alias", "champion", **everything)
    assert "models:/language-model@champion" in said
    version = client.get_model_version_by_alias("language-model", "champion")
    assert client.get_run(version.run_id).info.run_name == name
    again = other.path.parent / "again"
    said = other.run("reprolm", "recreate", name, "--into", str(again), **everything)
    assert said.count("the same") == 6 + 1
    assert file_sha256(again / MODEL) == file_sha256(other.path / MODEL)


def test_what_no_column_of_postgresql_takes_as_it_is_arrives_nevertheless(
    repository: Path, member: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "awkward")
    written = Written(repository, name="n" * 300, baseline="b" * 9000)
    written.train(3)
    for number, value in enumerate(
        ["a\0b", "\udce9", "🤖" * 5000, "", "x" * 20_000, "'; drop table runs; --"]
    ):
        written.add("tag", stage="train", key=f"odd {number} \0 {'k' * 300}", value=value)
    values = {"train/loss": float("nan"), "train/gradient_norm": float("inf"), "k" * 400: -1e308}
    written.add("point", stage="train", step=4, values=values)
    data = {"name": "d" * 900, "digest": "ab" * 32, "source": "s\0" * 5000, "context": "test"}
    written.add("dataset", stage="train", **data)
    sync(repository)
    assert pending(written.directory) == 0
    to = connect(repository)
    (run,) = runs(to)
    assert run.data.tags[next(key for key in run.data.tags if key.startswith("odd 0"))] == "a␀b"
    assert len(history(to, run, "train/loss")) == 4


def test_sending_again_doubles_nothing_in_postgresql_and_s3(
    repository: Path, member: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "again")
    written = Written(repository)
    written.train(40)
    sync(repository)
    before = picture(repository)
    (written.directory / "shipped.json").unlink()
    sync(repository)
    assert picture(repository) == before
    assert files(connect(repository), runs(connect(repository))[0]) == ["plots/train.csv", "samples.json"]
