"""Whether the better arm depends on the learning rate: said of curves that cross, and not of noise."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from lossassay import stats
from lossassay.config import Study
from lossassay.study.analysis.tuning_rates import rate_changes, rate_difference_rows, sensitivity_rows
from lossassay.study.analysis.tuning_results import Job, Trial
from lossassay.study.analysis.units import Units
from tests.study.fake_trials import EPOCHS, RATES, fake_jobs
from tests.study.test_tuning_tables import PEAKS, study

REPLICATES = Units(noun="replicates")


def changes(jobs: list[Job], own: Study | None = None) -> list[dict[str, Any]]:
    rows = pl.DataFrame(list(rate_difference_rows(own or study(), jobs, REPLICATES)), infer_schema_length=None)
    return rate_changes(rows, high=jobs[0].high)


def simulated(curves: dict[str, np.ndarray], random: np.random.Generator, replicates: int = 6) -> list[Job]:
    """Jobs whose trials lie around a curve, with noise of the replicate, which arms share, and of the trial."""
    jobs = []
    for replicate in range(replicates):
        shared = random.normal(0, 0.03)
        for arm, curve in curves.items():
            values = curve + shared + random.normal(0, 0.02, len(RATES))
            trials = tuple(_trial(number, value) for number, value in enumerate(values))
            jobs.append(Job(id="", arm=arm, replicate=replicate, metric="accuracy", space={}, trials=trials))
    return jobs


def _trial(number: int, value: float, *, values: tuple[float, ...] = (), diverged: bool = False) -> Trial:
    values = values or (value,)
    return Trial(
        number=number,
        status="diverged" if diverged else "finished",
        epochs=len(values),
        value=None if diverged else value,
        epoch_of_value=len(values),
        seconds=1.0,
        parameters={"learning_rate": RATES[number]},
        chosen=number == 0,
        own_settings=number == 0,
        values=() if diverged else values,
    )


def test_between_identical_arms_a_change_is_named_in_no_more_than_alpha() -> None:
    random, flat = np.random.default_rng(11), np.full(len(RATES), 0.8)
    named = sum(bool(changes(simulated({"low": flat, "high": flat}, random))) for _ in range(200))
    assert named <= 200 * 0.05 + 3 * np.sqrt(200 * 0.05 * 0.95)
    assert named <= 4  # it takes a wrong interval on both sides, so it is far rarer


def test_identical_arms_have_no_more_wrong_intervals_than_alpha() -> None:
    random, flat, wrong = np.random.default_rng(12), np.full(len(RATES), 0.8), 0
    for _ in range(200):
        rows = list(rate_difference_rows(study(), simulated({"low": flat, "high": flat}, random), REPLICATES))
        wrong += any(row["low"] > 0 or row["high"] < 0 for row in rows)
    assert wrong <= 200 * 0.05 + 3 * np.sqrt(200 * 0.05 * 0.95)


def test_curves_that_cross_are_named_with_their_rates() -> None:
    random, slope = np.random.default_rng(13), np.linspace(-0.2, 0.2, len(RATES))
    (found,) = changes(simulated({"low": 0.7 - slope, "high": 0.7 + slope}, random, replicates=8))
    assert (found["arm_a"], found["arm_b"]) == ("low", "high")
    assert found["a_better"][0][0] == pytest.approx(RATES[0])
    assert found["b_better"][-1][1] == pytest.approx(RATES[-1])
    assert found["a_better"][-1][1] <= found["b_better"][0][0]


def test_an_arm_that_is_better_everywhere_is_no_change() -> None:
    random, flat = np.random.default_rng(14), np.full(len(RATES), 0.7)
    jobs = simulated({"low": flat, "high": flat + 0.2}, random, replicates=8)
    assert changes(jobs) == []
    rows = list(rate_difference_rows(study(), jobs, REPLICATES))
    assert all(row["high"] < 0 for row in rows)


def test_where_low_is_good_the_better_arm_is_the_lower_one() -> None:
    random, slope = np.random.default_rng(13), np.linspace(-0.2, 0.2, len(RATES))
    jobs = simulated({"low": 0.7 - slope, "high": 0.7 + slope}, random, replicates=8)
    (found,) = changes([replace(job, metric="nll") for job in jobs])
    assert found["b_better"][0][0] == pytest.approx(RATES[0])


def test_intervals_are_those_of_paired_differences_over_bins_times_pairs() -> None:
    jobs = fake_jobs(study(), PEAKS, replicates=4)
    row = next(iter(rate_difference_rows(study(), jobs, REPLICATES)))
    values = {
        arm: [max(t.values[1] for t in job.trials[:2]) for job in jobs if job.arm == arm] for arm in ("low", "high")
    }
    scores = np.array([values["low"], values["high"]]).T
    (expected,) = stats.paired_differences(scores, [(0, 1)], alpha=0.05, family_size=6)
    assert row["jobs"] == 4
    assert (row["difference"], row["low"], row["high"]) == pytest.approx(
        (expected.estimate, expected.low, expected.high)
    )


def test_a_job_counts_with_its_best_trial_and_not_with_the_mean() -> None:
    jobs = fake_jobs(study(), PEAKS, replicates=2)
    spoilt = [
        replace(job, trials=(_trial(0, 0.1, values=(0.1, 0.1)), *job.trials[1:])) if job.arm == "low" else job
        for job in jobs
    ]
    first = next(iter(sensitivity_rows(study(), spoilt)))
    assert first["trials"] == 4  # two in each job
    assert first["value"] == pytest.approx(np.mean([job.trials[1].values[1] for job in jobs if job.arm == "low"]))


def test_all_trials_are_judged_after_the_epochs_that_all_have() -> None:
    jobs = fake_jobs(study(), PEAKS)
    late = [
        replace(job, trials=tuple(_late(trial) if trial.epochs == EPOCHS else trial for trial in job.trials))
        for job in jobs
    ]
    assert late != jobs
    assert list(sensitivity_rows(study(), late)) == list(sensitivity_rows(study(), jobs))


def _late(trial: Trial) -> Trial:
    return replace(trial, values=(*trial.values[:-1], 1.0), value=1.0)


def test_the_best_of_many_is_not_compared_with_the_best_of_few() -> None:
    jobs = fake_jobs(study(), PEAKS, replicates=4)
    fewer = [replace(job, trials=job.trials[1:]) if job.arm == "low" and job.replicate == 0 else job for job in jobs]
    rows = list(rate_difference_rows(study(), fewer, REPLICATES))
    assert [row["jobs"] for row in rows] == [3, *[4] * (len(rows) - 1)]
    diverged = fake_jobs(study(), PEAKS, replicates=4, diverged=0)  # of both arms: both tried it
    assert next(iter(rate_difference_rows(study(), diverged, REPLICATES)))["jobs"] == 4


def test_tuned_once_there_is_no_interval_and_no_change() -> None:
    jobs = fake_jobs(study(), PEAKS, replicates=None)
    rows = list(rate_difference_rows(study(), jobs, REPLICATES))
    assert {(row["low"], row["high"], row["jobs"]) for row in rows} == {(None, None, 1)}
    assert changes(jobs) == []


def test_sites_are_averaged_first() -> None:
    jobs = fake_jobs(study(), PEAKS, replicates=4)
    (row, *_) = rate_difference_rows(study(), jobs, Units(noun="sites", sites=2))
    plain = next(iter(rate_difference_rows(study(), jobs, REPLICATES)))
    assert row["difference"] == pytest.approx(plain["difference"])
    assert row["high"] - row["low"] != pytest.approx(plain["high"] - plain["low"])


def test_without_a_learning_rate_in_the_space_nothing_is_compared() -> None:
    jobs = fake_jobs(study(), PEAKS)
    fixed = [replace(job, trials=tuple(replace(t, parameters={}) for t in job.trials)) for job in jobs]
    assert list(rate_difference_rows(study(), fixed, REPLICATES)) == []
    assert list(rate_difference_rows(study(), [], REPLICATES)) == []
