"""What the trials of tuning say, as tables: budget, best so far, sensitivity, choices at the end of a range."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lossassay import stats
from lossassay.config import Study, parse_study
from lossassay.study.analysis.tuning_evidence import edges
from lossassay.study.analysis.tuning_rates import sensitivity_rows
from lossassay.study.analysis.tuning_results import Job, Trial, common_epochs, read_jobs
from lossassay.study.analysis.tuning_tables import best_so_far_rows, budget_of, choice_rows, trial_rows
from tests.study.fake_trials import EPOCHS, QUARTER, RATES, fake_jobs, write_jobs

PEAKS = {"low": 3e-4, "high": 1e-2}


def study(**changes: Any) -> Study:
    arms = [{"loss": "mean_squared_error", "name": "low"}, {"loss": "focal", "name": "high"}]
    training = {"epochs": EPOCHS} | changes.pop("training", {})
    tuning = {"trials": 8, **changes}
    return parse_study({"name": "t", "data": {"path": "digits"}, "arms": arms, "training": training, "tuning": tuning})


def test_what_was_written_reads_back_in_the_order_of_the_trials(tmp_path: Path) -> None:
    jobs = fake_jobs(study(), PEAKS, diverged=5)
    entries = write_jobs(tmp_path, jobs)
    assert read_jobs(tmp_path, {"metric": "accuracy", "tuning": entries}) == jobs
    missing = [*entries, entries[0] | {"id": "not finished"}]
    assert read_jobs(tmp_path, {"metric": "accuracy", "tuning": missing}) == jobs
    assert read_jobs(tmp_path, {"metric": "accuracy"}) == []


def test_every_trial_has_its_row() -> None:
    jobs = fake_jobs(study(), PEAKS, replicates=2, diverged=5)
    rows = list(trial_rows(jobs))
    assert len(rows) == 2 * 2 * 8
    assert [row["trial"] for row in rows[:8]] == list(range(8))
    assert json.loads(rows[3]["parameters"]) == {"learning_rate": RATES[3]}
    assert {row["status"] for row in rows} == {"finished", "pruned", "diverged"}


def test_the_budget_counts_trials_and_epochs() -> None:
    jobs = [job for job in fake_jobs(study(), PEAKS, diverged=5) if job.arm == "low"]
    found = budget_of(jobs)
    assert found["jobs"] == 3
    assert found["trials"] == found["finished"] + found["pruned"] + found["diverged"] == 24
    assert (found["finished"], found["diverged"]) == (6, 3)
    assert found["epochs"] == 3 * (2 * EPOCHS + 2 * 2 * QUARTER + 3 * QUARTER + 1)
    assert found["train_seconds"] == pytest.approx(1.5 * found["epochs"])


def test_the_best_so_far_never_falls_and_has_the_interval_over_jobs() -> None:
    jobs = fake_jobs(study(), PEAKS)
    rows = [row for row in best_so_far_rows(study(), jobs) if row["arm"] == "low"]
    assert [row["trial"] for row in rows] == list(range(1, 9))
    means = [row["mean"] for row in rows]
    assert means == sorted(means)
    best = [max(trial.value or 0.0 for trial in job.trials) for job in jobs if job.arm == "low"]
    expected = stats.mean_interval(np.array(best), level=0.95)
    assert (rows[-1]["mean"], rows[-1]["low"], rows[-1]["high"]) == (expected.estimate, expected.low, expected.high)
    assert {row["jobs"] for row in rows} == {3}


def test_where_low_is_good_the_best_so_far_never_rises() -> None:
    jobs = [replace(job, metric="nll") for job in fake_jobs(study(), PEAKS)]
    means = [row["mean"] for row in best_so_far_rows(study(), jobs) if row["arm"] == "high"]
    assert means == sorted(means, reverse=True)


def test_a_first_trial_that_diverged_leaves_no_best_yet() -> None:
    rows = list(best_so_far_rows(study(), fake_jobs(study(), PEAKS, diverged=0)))
    assert rows[0]["jobs"] == 0
    assert rows[0]["mean"] != rows[0]["mean"]  # nan
    assert rows[1]["jobs"] == 3


def test_tuned_once_there_is_no_interval() -> None:
    rows = list(best_so_far_rows(study(), fake_jobs(study(), PEAKS, replicates=None)))
    assert {row["jobs"] for row in rows} == {1}
    assert all(row["low"] != row["low"] for row in rows)


def test_trials_are_compared_at_the_epoch_that_all_of_them_reached() -> None:
    jobs = fake_jobs(study(), PEAKS, diverged=5)
    assert common_epochs(jobs) == QUARTER
    finished = next(trial for trial in jobs[0].trials if trial.status == "finished")
    assert finished.value_until(QUARTER, high=True, last=False) == finished.values[QUARTER - 1]
    assert finished.value_until(QUARTER, high=True, last=False) != finished.value
    assert jobs[0].trials[5].value_until(QUARTER, high=True, last=False) is None


@pytest.mark.parametrize(
    ("high", "last", "expected"), [(True, False, 0.9), (False, False, 0.5), (True, True, 0.7), (False, True, 0.7)]
)
def test_the_value_until_an_epoch_is_the_one_that_would_be_kept(high: bool, last: bool, expected: float) -> None:
    trial = Trial(
        number=0,
        status="finished",
        epochs=4,
        value=1.0,
        epoch_of_value=4,
        seconds=1.0,
        parameters={},
        chosen=True,
        own_settings=True,
        values=(0.5, 0.9, 0.7, 1.0),
    )
    assert trial.value_until(3, high=high, last=last) == expected


def test_the_shortfall_is_zero_where_the_best_trial_lies_alone() -> None:
    rows = [row for row in sensitivity_rows(study(), fake_jobs(study(), PEAKS)) if row["arm"] == "high"]
    assert rows[-1]["learning_rate_high"] == pytest.approx(RATES[-1])
    assert rows[-1]["trials"] == 3 * sum(rate >= rows[-1]["learning_rate_low"] for rate in RATES)
    alone = {round(row["shortfall"], 12) for row in rows if row["trials"] == 3}
    assert len(alone) > 1
    assert rows[0]["shortfall"] > rows[-1]["shortfall"]


def test_bins_hold_every_trial_once_and_their_rates() -> None:
    rows = list(sensitivity_rows(study(), fake_jobs(study(), PEAKS, diverged=5)))
    assert sum(row["trials"] for row in rows) == 2 * 3 * 7
    for row in rows:
        assert row["learning_rate_low"] < row["learning_rate"] < row["learning_rate_high"]


def test_without_a_learning_rate_in_the_space_there_is_no_sensitivity() -> None:
    jobs = fake_jobs(study(), PEAKS)
    fixed = [
        replace(job, trials=tuple(replace(trial, parameters={"weight_decay": 0.1}) for trial in job.trials))
        for job in jobs
    ]
    assert list(sensitivity_rows(study(), fixed)) == []


def chosen(parameter: str, space: dict[str, Any], value: Any, replicate: int | None = 0) -> Job:
    (job, *_) = [job for job in fake_jobs(study(), PEAKS, replicates=None) if job.arm == "high"]
    trials = tuple(replace(trial, parameters={parameter: value}) for trial in job.trials)
    return replace(job, replicate=replicate, space={parameter: space}, trials=trials)


@pytest.mark.parametrize(
    ("parameter", "space", "value", "position", "edge"),
    [
        ("learning_rate", {"kind": "log", "low": 1e-4, "high": 1e-2}, 1e-3, 0.5, ""),
        ("learning_rate", {"kind": "log", "low": 1e-4, "high": 1e-2}, 1.1e-4, 0.0207, "low"),
        ("learning_rate", {"kind": "log", "low": 1e-4, "high": 1e-2}, 9e-3, 0.977, "high"),
        ("learning_rate", {"kind": "log", "low": 1e-4, "high": 1e-2}, 2e-2, 1.15, "high"),  # the study's own setting
        ("weight_decay", {"kind": "linear", "low": 0.0, "high": 0.1}, 0.001, 0.01, ""),  # nothing lies below 0
        ("weight_decay", {"kind": "linear", "low": 0.0, "high": 0.1}, 0.099, 0.99, "high"),
        ("gamma", {"kind": "linear", "low": 0.5, "high": 5.0}, 0.6, 0.0222, "low"),
        ("gamma", {"kind": "integer", "low": 1, "high": 3}, 3, 1.0, ""),
        ("gamma", {"kind": "integer", "low": 1, "high": 9}, 9, 1.0, "high"),
        ("optimizer", {"kind": "choices", "choices": ["adam", "sgd"]}, "sgd", None, ""),
    ],
)
def test_a_choice_at_the_end_of_its_range(
    parameter: str, space: dict[str, Any], value: Any, position: float | None, edge: str
) -> None:
    (row,) = choice_rows(study(), [chosen(parameter, space, value)])
    assert row["position"] == (None if position is None else pytest.approx(position, abs=0.001))
    assert row["at_edge"] == edge
    assert row["value"] == (None if position is None else value)


def test_a_job_whose_trials_all_diverged_chose_nothing() -> None:
    (job, *_) = fake_jobs(study(), PEAKS)
    lost = replace(job, trials=tuple(replace(trial, chosen=False) for trial in job.trials))
    assert list(choice_rows(study(), [lost])) == []


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ((1e-2, 1e-2, 1e-3, 1e-3, 1e-3, 1e-3), [("high", 2, 6)]),
        ((1e-2, 1e-2, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3), []),
        ((1e-2, 1e-3), []),  # one of two may be chance
        ((1e-4, 1e-2, 1e-4, 1e-2), [("low", 2, 4), ("high", 2, 4)]),
        ((1e-2,), [("high", 1, 1)]),  # tuned once
        ((1e-3,), []),
    ],
)
def test_an_edge_counts_where_it_is_chosen_again(values: tuple[float, ...], found: list[tuple[str, int, int]]) -> None:
    space = {"kind": "log", "low": 1e-4, "high": 1e-2}
    jobs = [chosen("learning_rate", space, value, place) for place, value in enumerate(values)]
    listed = edges(pl.DataFrame(list(choice_rows(study(), jobs))))
    assert [(edge["end"], edge["jobs"], edge["of"]) for edge in listed] == found
    assert all(edge["limit"] == {"low": 1e-4, "high": 1e-2}[edge["end"]] for edge in listed)
