"""Tuning and early stopping in one study, from end to end: who is tuned, who is trained, and when it ends."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lossassay import api
from lossassay.config import CONTROL_ARM, Study
from lossassay.study.analysis.context import read_context
from lossassay.study.analysis.runs import RunReader
from lossassay.study.analysis.stopping import Stages
from lossassay.study.folder.results import read_plan
from lossassay.study.folder.store import Store
from lossassay.study.progress import Progress
from lossassay.study.tuning.store import TuningStore
from tests.study.tuning.helpers import bench_of, tuned_study

ARMS = ("categorical_crossentropy", "mean_squared_error")
CUT_SHORT = {"replicates": {"min": 2, "max": 4}, "margin": 0.9, "control": True}


def digits(scope: str) -> Study:
    """Two losses on digits, few epochs, a small network."""
    tuning = {"scope": scope, "trials": 2}
    model = {"widths": [2, 2, 4, 4, 4], "dense": [8, 8], "dropout": 0.0}
    training = {"model_options": model, "batch_size": 128}
    return tuned_study(Path("digits"), epochs=2, tuning=tuning, training=training, evidence=CUT_SHORT)


@pytest.fixture(scope="module", params=[pytest.param(scope, marks=pytest.mark.slow) for scope in ("nested", "once")])
def stopped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Path]:
    """A study on digits with a margin so wide that an early look decides, and its out folder."""
    own = digits(request.param)
    out = tmp_path_factory.mktemp(request.param) / "out"
    api.run(own, out, workers=2)
    return own, out


def facts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    return found


def replicates_of(folder: Path) -> dict[str, set[int]]:
    """Return the replicates that every arm, control and untuned arm was trained in."""
    there, found = Store(folder).finished(), dict[str, set[int]]()
    for run in read_plan(folder)["runs"]:
        found.setdefault(run["arm"], set()).update([run["replicate"]] if run["id"] in there else [])
    return found


def test_a_stopped_study_has_its_verdict_and_saves_runs(stopped: tuple[Study, Path]) -> None:
    _, out = stopped
    reached = facts(out)["stopping"]["reached"]
    assert 2 <= reached < 4
    assert facts(out)["runs_saved"] == 2 * (4 - reached)
    primary = pl.read_parquet(out / "tables" / "comparisons.parquet").filter(pl.col("primary"))
    assert primary["verdict"].to_list() == ["equivalent"]
    words = pl.read_parquet(out / "tables" / "tuning_verdicts.parquet").row(0, named=True)
    assert (words["tuned_verdict"], words["tuned_replicates"]) == ("equivalent", reached)
    assert words["untuned_verdict"] is not None


def test_untuned_runs_and_controls_stop_with_their_arm(stopped: tuple[Study, Path]) -> None:
    _, out = stopped
    trained = set(range(facts(out)["stopping"]["reached"]))
    names = {*ARMS, *(f"untuned: {arm}" for arm in ARMS), CONTROL_ARM}
    assert replicates_of(out) == dict.fromkeys(names, trained)
    assert read_context(out).missing == 0


def test_no_more_is_tuned_than_is_trained(stopped: tuple[Study, Path]) -> None:
    own, out = stopped
    assert own.tuning is not None
    there, reached = TuningStore(out).finished(), facts(out)["stopping"]["reached"]
    tuned = {(job["arm"], job["replicate"]) for job in read_plan(out)["tuning"] if job["id"] in there}
    if own.tuning.scope == "once":
        assert tuned == {(arm, None) for arm in ARMS}
    else:
        assert tuned == {(arm, replicate) for arm in (*ARMS, CONTROL_ARM) for replicate in range(reached)}


def test_a_second_start_adds_nothing(stopped: tuple[Study, Path]) -> None:
    own, out = stopped
    before = Store(out).finished(), TuningStore(out).finished(), facts(out)
    said: list[Any] = []
    api.run(own, out, workers=1, progress=Progress(on_message=said.append))
    assert said == []
    assert (Store(out).finished(), TuningStore(out).finished()) == before[:2]
    assert facts(out)["stopping"] == before[2]["stopping"]


def test_the_aa_control_is_in_no_table_of_tuning_and_the_report_says_what_it_did(stopped: tuple[Study, Path]) -> None:
    own, out = stopped
    assert own.tuning is not None
    nested = own.tuning.scope == "nested"
    found, reached = facts(out)["tuning"], facts(out)["stopping"]["reached"]
    assert found["jobs_finished"] == 2 * (reached if nested else 1)
    assert found["jobs_planned"] == found["jobs_finished"]
    for name in ("trials", "budget", "best_so_far", "choices"):
        assert set(pl.read_parquet(out / "tables" / f"tuning_{name}.parquet")["arm"]) == set(ARMS)
    control = pl.read_parquet(out / "tables" / "control.parquet")
    assert control["replicates"].to_list() == [reached] * len(control)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert ("was tuned and trained once more in" in page) == nested
    assert ("The noise of choosing settings is not in their differences" in page) == (not nested)


def test_the_aa_control_trains_with_what_its_own_job_chose(stopped: tuple[Study, Path]) -> None:
    _, out = stopped
    store, tuning = Store(out), TuningStore(out)
    runs = [run for run in read_plan(out)["runs"] if run["arm"] == CONTROL_ARM and run["id"] in store.finished()]
    assert runs
    for run in runs:
        chosen = tuning.facts(run["tuned_by"])["chosen"]
        assert store.facts(run["id"])["tuned"] == {"job": run["tuned_by"], **chosen}


class _Raced:
    """A look that says which arms go on."""

    def __init__(self, active: list[bool]) -> None:
        self.active = [active]


def test_a_decided_arm_is_neither_tuned_nor_trained_untuned_any_more(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arms = [{"loss": loss} for loss in (*ARMS, "focal")]
    evidence = {"replicates": {"min": 2, "max": 4}, "margin": 0.1, "control": True}
    own = tuned_study(images, arms=arms, evidence=evidence)
    plan = bench_of(own, tmp_path / "out").plan
    stages = Stages(own, plan, RunReader(tmp_path / "out", plan))
    monkeypatch.setattr(stages, "table", lambda there, replicates: None)
    monkeypatch.setattr(stages, "race", lambda table: _Raced([False, True, True]))  # the reference is decided at once
    there = {run["id"] for run in plan["runs"] if run["replicate"] < 2}
    jobs = {job["id"]: job for job in plan["tuning"]}
    next_jobs = [jobs[job["id"]] for job in stages.jobs(there, set())]
    others = {"mean_squared_error", own.arms[2].name}
    assert {(job["arm"], job["replicate"]) for job in next_jobs} == {(arm, 2) for arm in others}
    runs = {run["id"]: run for run in plan["runs"]}
    next_runs = [runs[job["id"]] for job in stages.jobs(there, set(jobs))]
    assert {run["arm"] for run in next_runs} == others | {f"untuned: {arm}" for arm in others}
