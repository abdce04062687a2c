"""A whole tuned study, with worker processes: order, settings, untuned runs, optuna's file, killing and going on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lossassay import api
from lossassay.config import study_as_toml
from lossassay.errors import OutFolderError
from lossassay.study.analysis.context import read_context
from lossassay.study.analysis.runs import RunReader
from lossassay.study.analysis.stopping import Stages
from lossassay.study.folder.leases import Leases
from lossassay.study.folder.results import read_plan
from lossassay.study.folder.store import Store
from lossassay.study.planning.bench import read_bench, read_run
from lossassay.study.progress import Progress
from lossassay.study.tuning.look import NO_OPTUNA, TuningLook
from lossassay.study.tuning.storage import OptunaFile
from lossassay.study.tuning.store import TuningStore
from lossassay.study.tuning.trials import run_job
from tests.study.tuning.helpers import bench_of, tuned_study
from tests.study.tuning.test_trials import TIMELESS


def study(images: Path, **tuning: Any) -> Any:
    return tuned_study(images, epochs=2, tuning={"trials": 3} | tuning)


def all_trials(folder: Path) -> dict[str, pl.DataFrame]:
    store = TuningStore(folder)
    return {job_id: store.trials(job_id).select(TIMELESS) for job_id in sorted(store.finished())}


@pytest.fixture(scope="module")
def messages() -> list[dict[str, Any]]:
    """What the workers of `tuned` say."""
    return []


@pytest.fixture(scope="module")
def tuned(images: Path, tmp_path_factory: pytest.TempPathFactory, messages: list[dict[str, Any]]) -> Path:
    """The out folder of a finished tuned study."""
    out = tmp_path_factory.mktemp("tuned") / "out"
    api.run(study(images), out, workers=2, progress=Progress(on_message=messages.append))
    return out


def test_jobs_come_before_the_runs_that_they_tune(tuned: Path, messages: list[dict[str, Any]]) -> None:
    done = [message["id"] for message in messages if message["event"] == "done"]
    plan = read_plan(tuned)
    jobs = {job["id"] for job in plan["tuning"]}
    assert set(done[:4]) == jobs
    assert set(done[4:]) == {run["id"] for run in plan["runs"]}
    assert all("trial" in m for m in messages if m["event"] == "epoch" and m["id"] in jobs)


def test_tuned_runs_train_with_what_their_job_chose(tuned: Path) -> None:
    plan, store, tuning = read_plan(tuned), Store(tuned), TuningStore(tuned)
    rates = set()
    for entry in plan["runs"]:
        facts = store.facts(entry["id"])
        if "tuned_by" not in entry:
            assert "tuned" not in facts
            assert facts["training"]["learning_rate"] == 0.001
            continue
        chosen = tuning.facts(entry["tuned_by"])["chosen"]
        assert facts["tuned"] == {"job": entry["tuned_by"], **chosen}
        assert facts["training"]["learning_rate"] == chosen["parameters"]["learning_rate"]
        rates.add(facts["training"]["learning_rate"])
    assert rates != {0.001}


def test_the_final_run_repeats_its_trial(tuned: Path) -> None:
    plan, store, tuning = read_plan(tuned), Store(tuned), TuningStore(tuned)
    for entry in plan["runs"]:
        if "tuned_by" in entry:
            trial = tuning.trials(entry["tuned_by"]).filter("chosen").row(0, named=True)
            assert store.history(entry["id"])["validation_yardstick"].to_list() == trial["values"]


def test_untuned_runs_are_those_of_a_study_without_tuning(tuned: Path, images: Path, tmp_path: Path) -> None:
    plain = study(images).model_copy(update={"tuning": None})
    bench, store = bench_of(plain, tmp_path / "out"), Store(tmp_path / "out")
    entry = bench.plan["runs"][0]
    from lossassay.study.training.worker import do_job

    do_job({"id": entry["id"]}, store, bench, lambda message: None)
    own, ours = store.predictions(entry["id"], "test"), Store(tuned).predictions(entry["id"], "test")
    np.testing.assert_array_equal(own["scores"].to_numpy(), ours["scores"].to_numpy())


def test_untuned_arms_are_no_arms_of_the_analysis(tuned: Path) -> None:
    context = read_context(tuned)
    assert context.arms == ["categorical_crossentropy", "mean_squared_error"]
    assert {run.arm for run in context.runs} == set(context.arms)
    assert (context.missing, context.control, context.damaged) == (0, [], {})
    assert {arm: [run.replicate for run in runs] for arm, runs in context.untuned.items()} == {
        "categorical_crossentropy": [0, 1],
        "mean_squared_error": [0, 1],
    }
    assert not pl.read_parquet(tuned / "tables" / "comparisons.parquet")["arm_a"].str.starts_with("untuned").any()


def test_optuna_opens_its_file_and_finds_every_trial(tuned: Path) -> None:
    optuna = pytest.importorskip("optuna")
    storage = f"sqlite:///{tuned / 'tuning.sqlite3'}"
    names = sorted(summary.study_name for summary in optuna.get_all_study_summaries(storage))
    assert names == [
        f"{arm}, replicate {n}" for arm in ("categorical_crossentropy", "mean_squared_error") for n in (0, 1)
    ]
    plan, store = read_plan(tuned), TuningStore(tuned)
    for job in plan["tuning"]:
        found = optuna.load_study(study_name=f"{job['arm']}, replicate {job['replicate']}", storage=storage)
        rows = store.trials(job["id"]).to_dicts()
        assert found.user_attrs == {"metric": "balanced_accuracy", "lossassay job": job["id"]}
        assert [trial.params for trial in found.trials] == [json.loads(row["parameters"]) for row in rows]
        states = {"finished": "COMPLETE", "pruned": "PRUNED"}
        assert [trial.state.name for trial in found.trials] == [states[row["status"]] for row in rows]
        assert [list(trial.intermediate_values.values()) for trial in found.trials] == [row["values"] for row in rows]
        best = next(row for row in rows if row["chosen"])
        assert (found.best_trial.number, found.best_value) == (best["trial"], best["value"])


def test_a_second_call_trains_nothing_and_makes_a_lost_file_of_optuna_anew(
    tuned: Path, images: Path, tmp_path: Path
) -> None:
    optuna = pytest.importorskip("optuna")
    again = tmp_path / "again"
    shutil.copytree(tuned, again)
    (again / "tuning.sqlite3").unlink()
    said: list[Any] = []
    api.run(study(images), again, progress=Progress(on_message=said.append))
    assert said == []
    assert len(optuna.get_all_study_summaries(f"sqlite:///{again / 'tuning.sqlite3'}")) == 4


def test_without_optuna_a_line_says_so_and_nothing_else_is_missing(
    tuned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lossassay.study.tuning.look.has_optuna", lambda: False)
    said: list[str] = []
    with Leases(tuned) as leases:
        look = TuningLook(tuned, read_plan(tuned), said.append, leases)
        assert len(look.finished()) == len(look.finished()) == 4
        look.finish()
    assert said == [NO_OPTUNA]


def test_a_broken_file_of_optuna_stops_no_study(tuned: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    shutil.copytree(tuned / "tuning", tmp_path / "tuning")
    (tmp_path / "tuning.sqlite3").write_text("no database")
    said: list[str] = []
    with Leases(tmp_path) as leases:
        look = TuningLook(tmp_path, read_plan(tuned), said.append, leases)
        assert len(look.finished()) == 4
        look.finish()
    assert len(said) == 1
    assert "tuning.sqlite3 was not written" in said[0]


def test_nobody_waits_while_the_file_of_optuna_is_written(tuned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna")
    written: list[tuple[str, int]] = []
    begun, go_on = threading.Event(), threading.Event()

    def slow(_file: OptunaFile, there: set[str]) -> None:
        begun.set()
        assert go_on.wait(30)
        written.append((threading.current_thread().name, len(there)))

    monkeypatch.setattr(OptunaFile, "update", slow)
    with Leases(tuned) as leases:
        look = TuningLook(tuned, read_plan(tuned), pytest.fail, leases)
        assert len(look.finished()) == len(look.finished()) == 4
        assert begun.wait(30)
        assert written == []
        go_on.set()
        look.finish()
    assert written == [("optuna", 4), ("MainThread", 4)]


def test_the_file_of_optuna_lies_in_a_folder_of_any_name(tuned: Path, tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    folder = tmp_path / "which loss? 100%20 {x}"
    shutil.copytree(tuned / "tuning", folder / "tuning")
    jobs = read_plan(tuned)["tuning"]
    OptunaFile(folder, jobs).update({job["id"] for job in jobs})
    assert sorted(path.name for path in folder.iterdir()) == ["tuning", "tuning.sqlite3"]
    shutil.move(folder / "tuning.sqlite3", tmp_path / "plain.sqlite3")
    assert len(optuna.get_all_study_summaries(f"sqlite:///{tmp_path / 'plain.sqlite3'}")) == 4


def test_a_job_whose_worker_was_killed_is_tried_once_more(tuned: Path) -> None:
    plan = read_plan(tuned)
    job, run = plan["tuning"][0]["id"], plan["runs"][0]["id"]
    look = TuningLook(tuned, plan, lambda text: None, Leases(tuned))
    assert not look.goes_on({"id": run, "died": True})  # runs: as before
    assert look.goes_on({"id": job, "died": True})
    assert not look.goes_on({"id": job, "died": True})
    other = plan["tuning"][1]["id"]
    assert not look.goes_on({"id": other})  # an error comes again


def test_missing_jobs_come_first_and_a_failed_one_takes_its_runs_along(tuned: Path, images: Path) -> None:
    plan = read_plan(tuned)
    stages = Stages(study(images), plan, RunReader(tuned, plan))
    jobs = [{"id": job["id"], "kind": "tuning"} for job in plan["tuning"]]
    assert stages.jobs(set(), set()) == jobs
    assert stages.jobs(set(), {job["id"] for job in jobs[1:]}) == jobs[:1]
    everything = [{"id": run["id"]} for run in plan["runs"]]
    assert stages.jobs(set(), {job["id"] for job in jobs}) == everything
    kept = stages.jobs(set(), {job["id"] for job in jobs[1:]}, {jobs[0]["id"]})
    gone = {run["id"] for run in plan["runs"] if run.get("tuned_by") == jobs[0]["id"]}
    assert kept == [run for run in everything if run["id"] not in gone]
    assert len(gone) == 1


def test_a_run_before_its_job_is_refused(images: Path, tmp_path: Path) -> None:
    bench = bench_of(study(images), tmp_path / "out")
    with pytest.raises(OutFolderError, match="is not finished, so its settings are not known"):
        read_run(bench, bench.plan["runs"][0]["id"])


def test_tuning_once_serves_every_replicate(images: Path, tmp_path: Path) -> None:
    bench = bench_of(study(images, scope="once", trials=2), tmp_path / "out")
    job = bench.plan["tuning"][0]
    run_job(job, bench)
    runs = [run for run in bench.plan["runs"] if run.get("tuned_by") == job["id"]]
    assert [run["replicate"] for run in runs] == [0, 1]
    specs = [read_run(bench, run["id"])[1] for run in runs]
    assert specs[0].training == specs[1].training
    assert specs[0].seeds != specs[1].seeds
    again = read_bench(bench.folder, Path(bench.images.filename))  # type: ignore[attr-defined]
    np.testing.assert_array_equal(again.tuning_parts, bench.tuning_parts)


@pytest.mark.slow
def test_killed_with_signal_9_and_resumed_gives_the_same_trials(tuned: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(study_as_toml(study(images)))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "lossassay", "run", str(tmp_path / "study.toml"), "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--workers", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not list(out.glob("checkpoints/*-trials.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list(out.glob("checkpoints/*-trials.json"))  # some trials were noted, and no job was finished
    assert len(TuningStore(out).finished()) < 4
    api.run(study(images), out, workers=1)
    first, second = all_trials(tuned), all_trials(out)
    assert first.keys() == second.keys()
    for job_id, frame in first.items():
        assert frame.equals(second[job_id])
    assert read_plan(out)["runs"] == read_plan(tuned)["runs"]
