"""Halving that cuts among networks which predict one class is found."""

from dataclasses import replace
from pathlib import Path

import pytest

from lossassay.study.analysis.context import read_context
from lossassay.study.analysis.tuning_cuts import stuck_trials, tuning_cut_at_chance, values_at
from lossassay.study.analysis.tuning_results import Job
from tests.study.fake_trials import EPOCHS, QUARTER, fake_jobs, write_jobs
from tests.study.test_tuning_evidence import tuned
from tests.study.test_tuning_tables import PEAKS, study


@pytest.mark.parametrize(
    ("values", "chance", "stuck"),
    [
        ([1 / 3, 1 / 3, 1 / 3, 0.5], 1 / 3, 3),
        ([0.30, 0.32, 0.5, 0.6], 1 / 3, 2),  # below chance is no better than chance
        ([0.7, 0.7, 0.7, 0.5], 1 / 3, 3),  # one value, above chance
        ([0.7, 0.6, 0.5], None, 0),
        ([0.47, 0.47, 0.5], None, 2),
        ([0.9], 1 / 3, 0),
        ([], 1 / 3, 0),
    ],
)
def test_trials_that_cannot_be_told_apart_are_counted(values: list[float], chance: float | None, stuck: int) -> None:
    assert stuck_trials(values, chance) == stuck


def test_the_values_at_a_cut_are_those_of_the_trials_that_came_so_far() -> None:
    (job, *_) = fake_jobs(study(), PEAKS, diverged=5)
    assert len(values_at(job, QUARTER, last=False)) == 7
    assert len(values_at(job, 2 * QUARTER, last=False)) == 4
    assert max(values_at(job, QUARTER, last=False)) < max(values_at(job, EPOCHS, last=False))


def at_chance(job: Job, trials: int, chance: float) -> Job:
    """Set the first epochs of some trials to chance."""
    own = [
        replace(trial, values=(chance,) * QUARTER + trial.values[QUARTER:]) if trial.number < trials else trial
        for trial in job.trials
    ]
    return replace(job, trials=tuple(own))


@pytest.mark.parametrize(("trials", "passed"), [(4, True), (5, False), (8, False)])
def test_more_than_half_of_the_trials_at_chance_are_a_finding(
    finished: Path, tmp_path: Path, trials: int, passed: bool
) -> None:
    base = read_context(finished)
    first, chance = base.arms[0], 1 / len(base.classes)
    jobs = fake_jobs(base.study, dict.fromkeys(base.arms, 1e-3))
    own = [at_chance(job, trials, chance) if (job.arm, job.replicate) == (first, 1) else job for job in jobs]
    context = tuned(finished, write_jobs(tmp_path, own), trials=8)
    context = replace(context, folder=tmp_path)
    training = context.study.training.model_copy(update={"epochs": EPOCHS})
    context = replace(context, study=context.study.model_copy(update={"training": training}))
    found = [] if passed else [[first, QUARTER, trials, 8, 1, 3]]
    assert tuning_cut_at_chance(context) == (passed, {"cuts": found})


def test_where_no_trial_is_cut_it_does_not_apply(finished: Path, tmp_path: Path) -> None:
    base = read_context(finished)
    assert tuning_cut_at_chance(base) == (None, {"cuts": []})
    jobs = write_jobs(tmp_path, fake_jobs(base.study, dict.fromkeys(base.arms, 1e-3)))
    context = replace(tuned(finished, jobs, pruning="none"), folder=tmp_path)
    assert tuning_cut_at_chance(context) == (None, {"cuts": []})
    assert tuning_cut_at_chance(tuned(finished))[0] is None  # no job is finished
