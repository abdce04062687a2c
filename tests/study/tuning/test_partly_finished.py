"""What is said and done with a tuned study of which some runs or tuning jobs are missing."""

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lossassay import api
from lossassay.config import CONTROL_ARM, UNTUNED, Study
from lossassay.errors import OutFolderError
from lossassay.study.analysis.analyse import analyse
from lossassay.study.folder.columns import TUNING_TABLES
from lossassay.study.folder.leases import Leases
from lossassay.study.folder.results import read_plan
from lossassay.study.folder.store import Store
from lossassay.study.progress import Progress
from lossassay.study.tracking.record import StoredStudy
from lossassay.study.tuning.store import TuningStore
from tests.study.here import run_here
from tests.study.tuning.helpers import tuned_study

ARMS = ({"name": "plain/CE", "loss": "categorical_crossentropy"}, {"name": "MSE", "loss": "mean_squared_error"})


def stopping_study(images: Path, **tuning: Any) -> Study:
    """Tuned, with an A/A control and up to four replicates; the margin is so wide that an early look decides."""
    evidence = {"replicates": {"min": 2, "max": 4}, "margin": 0.9, "control": True}
    return tuned_study(images, epochs=1, arms=list(ARMS), tuning={"trials": 2} | tuning, evidence=evidence)


@pytest.fixture(scope="module")
def stopped(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The out folder of a study that stopped at its second look."""
    out = tmp_path_factory.mktemp("stopped") / "out"
    run_here(stopping_study(images), out)
    assert facts(out)["stopping"]["reached"] == 3
    return out


def facts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    return found


def without(folder: Path, out: Path, arm: str, replicate: int) -> Path:
    """Copy an out folder, but for one run."""
    shutil.copytree(folder, out)
    own = [run for run in read_plan(out)["runs"] if (run["arm"], run["replicate"]) == (arm, replicate)]
    shutil.rmtree(out / "runs" / own[0]["id"])
    return out


@pytest.mark.parametrize("beside", [CONTROL_ARM, f"{UNTUNED}MSE"])
def test_a_missing_run_beside_the_arms_takes_no_look_back(stopped: Path, tmp_path: Path, beside: str) -> None:
    out = without(stopped, tmp_path / "out", beside, 2)
    analyse(out)
    assert facts(out)["stopping"] == facts(stopped)["stopping"]
    verdicts = [pl.read_parquet(folder / "tables" / "comparisons.parquet")["verdict"] for folder in (out, stopped)]
    assert verdicts[0].equals(verdicts[1])
    own = facts(out)
    assert own["runs_planned"] == own["runs_finished"] + own["runs_untuned"] + 1 == 15


def test_a_missing_run_of_an_arm_takes_the_look_back(stopped: Path, tmp_path: Path) -> None:
    out = without(stopped, tmp_path / "out", "MSE", 2)
    analyse(out)
    assert facts(out)["stopping"]["reached"] == 2


def test_a_study_that_stopped_early_lacks_no_tuning_job(stopped: Path, tmp_path: Path) -> None:
    found = facts(stopped)["tuning"]
    assert found["jobs_planned"] == found["jobs_finished"] == 6
    out = without(stopped, tmp_path / "out", "MSE", 2)
    job = next(job for job in read_plan(out)["tuning"] if (job["arm"], job["replicate"]) == ("MSE", 2))
    shutil.rmtree(out / "tuning" / job["id"])
    analyse(out)
    assert (facts(out)["tuning"]["jobs_finished"], facts(out)["tuning"]["jobs_planned"]) == (5, 6)


def test_the_cost_of_the_trials_holds_those_of_the_aa_control(stopped: Path) -> None:
    store = TuningStore(stopped)
    jobs = {job["arm"] for job in read_plan(stopped)["tuning"] if store.is_there(job["id"])}
    assert CONTROL_ARM in jobs
    spent = sum(store.facts(job_id)["seconds"] for job_id in store.finished())
    assert facts(stopped)["tuning"]["trial_seconds"] == pytest.approx(spent)


def test_a_failed_tuning_job_is_no_failed_run(stopped: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(stopped, out)
    plan = read_plan(out)
    analyse(out, {plan["tuning"][0]["id"]: "KeyError: 'plain/CE'", plan["runs"][0]["id"]: "no memory"})
    found = facts(out)
    assert (found["runs_failed"], found["jobs_failed"]) == (1, 1)
    assert found["failures"] == ["KeyError: 'plain/CE'", "no memory"]


def test_a_tracker_gets_the_tables_of_tuning_too(stopped: Path) -> None:
    artefacts = StoredStudy(stopped).study(with_report=False).artefacts
    assert {f"tables/{name}.csv" for name in TUNING_TABLES} <= set(artefacts)
    assert set(artefacts) == {f"tables/{path.name}" for path in (stopped / "tables").glob("*.csv")}


@pytest.mark.parametrize(("arm", "said"), [(CONTROL_ARM, "is a control, "), (f"{UNTUNED}MSE", "is an untuned run, ")])
def test_a_run_beside_the_arms_is_not_used_and_called_what_it_is(stopped: Path, arm: str, said: str) -> None:
    run_id = next(run["id"] for run in read_plan(stopped)["runs"] if run["arm"] == arm)
    assert Store(stopped).is_there(run_id)
    with pytest.raises(OutFolderError, match=f"{said}which is trained to be compared, not used"):
        api.predict(stopped / "runs" / run_id, "digits")


def test_without_waiting_it_stays_for_the_runs_that_a_tuning_job_of_another_tunes(
    stopped: Path, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(stopped, out)
    run = next(run for run in read_plan(out)["runs"] if run["arm"] == "MSE" and Store(out).is_there(run["id"]))
    shutil.rmtree(out / "runs" / run["id"])
    (out / "tuning" / run["tuned_by"]).rename(tmp_path / "job")
    done: list[str] = []

    def finish() -> None:
        (tmp_path / "job").rename(out / "tuning" / run["tuned_by"])
        other.give_back(run["tuned_by"], done=True)

    with Leases(out) as other:
        other.take(run["tuned_by"])
        timer = threading.Timer(2.5, finish)
        timer.start()
        run_here(stopping_study(images), out, wait=False, progress=Progress(on_message=collect(done)))
        timer.join()
    assert done == [run["id"]]


def collect(done: list[str]) -> Callable[[dict[str, Any]], None]:
    """Keep the names of what is done."""
    return lambda message: done.append(message["id"]) if message["event"] == "done" else None
