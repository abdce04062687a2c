"""MLflow: one test against a real server on SQLite, the rest on the SQLite store itself."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lossassay import api
from lossassay.errors import TrackerError
from lossassay.study.tracking.mlflow_runs import MlflowTracker, _key, without_password
from lossassay.study.tracking.record import StoredStudy

pytest.importorskip("mlflow")
pytestmark = [
    # MLflow and its database layer warn of themselves
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def store(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A SQLite store that holds the finished study."""
    folder = tmp_path_factory.mktemp("mlflow")
    here = Path.cwd()
    os.chdir(folder)  # MLflow keeps artefacts of such a store in the working folder
    uri = f"sqlite:///{folder}/runs.db"
    found = api.track(finished, api.Trackers(mlflow=uri))
    assert [(one.tracker, one.added, one.there) for one in found] == [("MLflow", 6, 0)]
    yield uri
    os.chdir(here)


def client(uri: str) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri)


def runs_of(uri: str, experiment: str = "small") -> tuple[Any, dict[str, Any]]:
    """Parent, and children by the id of the stored run."""
    found = client(uri).search_runs([client(uri).get_experiment_by_name(experiment).experiment_id])
    parents = [run for run in found if "lossassay.run_id" not in run.data.tags]
    assert len(parents) == 1
    children = [run for run in found if "lossassay.run_id" in run.data.tags]
    by_id = {run.data.tags["lossassay.run_id"]: run for run in children}
    assert len(by_id) == len(children)
    return parents[0], by_id


def test_a_run_has_its_curves_and_its_yardsticks(finished: Path, store: str) -> None:
    parent, children = runs_of(store)
    stored = StoredStudy(finished)
    assert set(children) == {key.id for key in stored.keys()}
    for key in stored.keys():
        run, child = stored.run(key.id), children[key.id]
        tags = child.data.tags
        assert tags["mlflow.parentRunId"] == parent.info.run_id
        assert (tags["lossassay.arm"], tags["lossassay.replicate"]) == (key.arm, str(key.replicate))
        assert (tags["lossassay.status"], child.info.status) == ("finished", "FINISHED")
        assert child.data.params["loss"] == key.arm
        assert child.data.params["training/epochs"] == "2"
        history = client(store).get_metric_history(child.info.run_id, "train/loss")
        assert [(point.step, point.value) for point in history] == list(run.curves["train/loss"])
        assert child.data.metrics["test/balanced_accuracy"] == run.yardsticks["balanced_accuracy"]
        assert child.info.start_time <= history[0].timestamp <= history[1].timestamp <= child.info.end_time


def test_the_parent_has_the_design_the_verdicts_the_tables_and_the_report(finished: Path, store: str) -> None:
    parent, _ = runs_of(store)
    assert parent.data.params["margin"] == "0.05"
    assert parent.data.params["data/images"] == "60"
    assert parent.info.status == "FINISHED"
    verdicts = {key: text for key, text in parent.data.tags.items() if key.startswith("lossassay.verdict.")}
    assert len(verdicts) == 3
    pair = "lossassay.verdict.categorical_crossentropy vs mean_squared_error"
    assert verdicts[pair].startswith("categorical_crossentropy minus mean_squared_error: ")
    names = {item.path for item in client(store).list_artifacts(parent.info.run_id)}
    assert names == {"tables", "report.html"}
    tables = {item.path for item in client(store).list_artifacts(parent.info.run_id, "tables")}
    assert {"tables/runs.csv", "tables/comparisons.csv"} <= tables
    assert all(name.endswith(".csv") for name in tables)


def test_a_second_call_changes_nothing(finished: Path, store: str) -> None:
    before = runs_of(store)
    found = api.track(finished, api.Trackers(mlflow=store))
    assert (found[0].added, found[0].there) == (0, 6)
    after = runs_of(store)
    assert before[0].to_dictionary() == after[0].to_dictionary()
    assert {one: run.to_dictionary() for one, run in before[1].items()} == {
        one: run.to_dictionary() for one, run in after[1].items()
    }


def test_a_run_that_was_cut_off_is_completed_without_doubles(finished: Path, store: str) -> None:
    stored = StoredStudy(finished)
    tracker = MlflowTracker(store, "cut off")
    tracker.begin(stored.study(with_report=False))
    key = stored.keys()[0]
    tracker.add(stored.run(key.id))
    _, children = runs_of(store, "cut off")
    child = children[key.id].info.run_id
    client(store).delete_tag(child, "lossassay.whole")
    again = MlflowTracker(store, "cut off")
    again.begin(stored.study(with_report=False))
    assert not again.has(key)
    again.add(stored.run(key.id))
    assert again.has(key)
    _, children = runs_of(store, "cut off")
    assert list(children) == [key.id]
    history = client(store).get_metric_history(child, "train/loss")
    assert [point.step for point in history] == [1, 2]


def test_a_decision_that_changed_later_stands_in_a_tag(finished: Path, store: str) -> None:
    from dataclasses import replace

    study = StoredStudy(finished).study(with_report=False)
    MlflowTracker(store, "changed").begin(study)
    changed = replace(study, params=study.params | {"replicates": "5"})
    MlflowTracker(store, "changed").begin(changed)
    parent, _ = runs_of(store, "changed")
    assert parent.data.params["replicates"] == "2"
    assert parent.data.tags["lossassay.now.replicates"] == "5"


def test_another_experiment_gets_runs_of_its_own_and_no_report_where_none_is_wanted(finished: Path, store: str) -> None:
    found = api.track(finished, api.Trackers(mlflow=store, experiment="elsewhere", with_report=False))
    assert found[0].added == 6
    parent, _ = runs_of(store, "elsewhere")
    assert {item.path for item in client(store).list_artifacts(parent.info.run_id)} == {"tables"}


def test_no_place_no_group_and_no_user_goes_out(finished: Path, store: str) -> None:
    import getpass

    groups = pl.read_parquet(finished / "rows.parquet")["group"].drop_nulls().unique().to_list()
    places = [str(finished.parent), "study.toml"]
    parent, children = runs_of(store)
    for run in (parent, *children.values()):
        values = {**run.data.tags, **run.data.params}
        assert {"mlflow.user", "mlflow.source.name"} & set(values) == set()
        text = str(values)
        assert not any(word in text for word in (*groups, *places, ".png", socket.gethostname()))
        assert getpass.getuser() not in values.values()


def test_a_deleted_experiment_is_refused_with_what_to_do(finished: Path, store: str) -> None:
    gone = client(store).create_experiment("gone")
    client(store).delete_experiment(gone)
    with pytest.raises(TrackerError, match=r"'gone' .* was deleted.* name another one with --experiment"):
        api.track(finished, api.Trackers(mlflow=store, experiment="gone"))


def test_keys_and_addresses_are_made_safe() -> None:
    assert _key("loss/gamma (α)") == "loss/gamma ___"
    assert without_password("http://me:secret@host:5000/x") == "http://host:5000/x"
    assert without_password("sqlite:///runs.db") == "sqlite:///runs.db"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
def test_a_real_server_on_sqlite_takes_a_study_once(finished: Path, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/runs.db", "--artifacts-destination", str(tmp_path / "a")]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=tmp_path, env=environment, start_new_session=True
        )
    uri = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{uri}/health", server)
        first = api.track(finished, api.Trackers(mlflow=uri))
        second = api.track(finished, api.Trackers(mlflow=uri))
        assert (first[0].added, first[0].there, second[0].added, second[0].there) == (6, 0, 0, 6)
        parent, children = runs_of(uri)
        assert len(children) == 6
        assert "report.html" in {item.path for item in client(uri).list_artifacts(parent.info.run_id)}
        assert (tmp_path / "a").is_dir()
    finally:
        os.killpg(server.pid, 9)
        server.wait()


def wait_for(address: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        assert server.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server did not start")


def test_a_run_that_another_process_sent_meanwhile_is_not_made_again(finished: Path, store: str) -> None:
    """Both have begun while nothing was there, as two that train in one folder do."""
    stored = StoredStudy(finished)
    key = stored.keys()[0]
    first, second = (MlflowTracker(store, "two at once") for _ in range(2))
    for one in (first, second):
        one.begin(stored.study(with_report=False))
    first.add(stored.run(key.id))
    assert not second.has(key)
    second.add(stored.run(key.id))
    assert second.has(key)
    assert set(runs_of(store, "two at once")[1]) == {key.id}
