"""The tables of a study with [tuning]: trials, budget, best so far, choices. All on validation parts."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lossassay import stats
from lossassay.config import Study
from lossassay.config.tuning_space import Range, own_ranges, parameters_of
from lossassay.engine.spec import Array
from lossassay.study.analysis.tuning_results import Job

EDGE_SHARE = 0.05  # of a range, on its scale
_FEW_VALUES = 4  # a range of so few whole numbers is all edge

Rows = Iterator[dict[str, Any]]


def trial_rows(jobs: Sequence[Job]) -> Rows:
    """Return every trial of every job."""
    for job in jobs:
        for trial in job.trials:
            yield {
                "job": job.id,
                "arm": job.arm,
                "replicate": job.replicate,
                "trial": trial.number,
                "status": trial.status,
                "epochs": trial.epochs,
                "value": trial.value,
                "epoch_of_value": trial.epoch_of_value,
                "train_seconds": trial.seconds,
                "chosen": trial.chosen,
                "own_settings": trial.own_settings,
                "parameters": json.dumps(trial.parameters),
            }


def budget_of(jobs: Sequence[Job]) -> dict[str, Any]:
    """Return what the jobs of one arm spent."""
    trials = [trial for job in jobs for trial in job.trials]
    statuses = [trial.status for trial in trials]
    return {
        "jobs": len(jobs),
        "trials": len(trials),
        **{status: statuses.count(status) for status in ("finished", "pruned", "diverged")},
        "epochs": sum(trial.epochs for trial in trials),
        "train_seconds": sum(trial.seconds for trial in trials),
    }


def best_so_far_rows(study: Study, jobs: Sequence[Job]) -> Rows:
    """Return the mean over jobs of the best value of the first trials, for every number of trials.

    A diverged trial adds nothing; before the first trial with a value a job has no best and is left out.
    """
    for arm in study.arms:
        own = [job for job in jobs if job.arm == arm.name]
        longest = max((len(job.trials) for job in own), default=0)
        paths = np.array([_best_so_far(job, longest) for job in own])
        for place in range(longest):
            found = stats.mean_interval(paths[:, place], level=1 - study.evidence.alpha)
            numbers = {"mean": found.estimate, "low": found.low, "high": found.high}
            yield {"arm": arm.name, "trial": place + 1, **numbers, "jobs": found.replicates}


def _best_so_far(job: Job, length: int) -> Array:
    values = np.full(length, np.nan)
    for trial in job.trials:
        values[trial.number] = np.nan if trial.value is None else trial.value
    return (np.fmax if job.high else np.fmin).accumulate(values)


def range_rows(study: Study, plan: dict[str, Any]) -> Rows:
    """Return the range of every tuned parameter of every arm, and whether it was set for that arm alone.

    Args:
        study: As resolved.
        plan: plan.json; the jobs of one arm have the same ranges.
    """
    for arm in study.arms:
        job = next((entry for entry in plan.get("tuning", ()) if entry["arm"] == arm.name), None)
        for name, stored in (job["space"] if job else {}).items():
            found = Range.of_data(stored)
            yield {
                "arm": arm.name,
                "parameter": name,
                "scale": found.kind,
                "low": found.low,
                "high": found.high,
                "choices": list(found.choices),
                "of_arm_alone": name in own_ranges(study, arm),
            }


def choice_rows(study: Study, jobs: Sequence[Job]) -> Rows:
    """Return the value of every tuned parameter that each job chose, and where in its range it lies."""
    known = {arm.name: parameters_of(study, arm) for arm in study.arms}
    for job in jobs:
        chosen = job.chosen
        for name, stored in job.space.items() if chosen is not None else ():
            assert chosen is not None  # noqa: S101 - for the type checker
            value, own = chosen.parameters.get(name), Range.of_data(stored)
            place = _position(own, value)
            limits = known[job.arm][name]
            yield {
                "arm": job.arm,
                "replicate": job.replicate,
                "parameter": name,
                "text": "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value),
                "value": None if place is None or value is None else float(value),
                "low": own.low,
                "high": own.high,
                "scale": own.kind,
                "position": place,
                "at_edge": _edge(own, place, limits.low, limits.high),
            }


def _position(own: Range, value: Any) -> float | None:
    """Return where a value lies in its range, from 0 to 1 on the range's own scale; None for choices."""
    if own.low is None or own.high is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if own.kind == "log" and value > 0:
        return (math.log(value) - math.log(own.low)) / (math.log(own.high) - math.log(own.low))
    return (value - own.low) / (own.high - own.low)


def _edge(own: Range, place: float | None, lowest: float, highest: float | None) -> str:
    """Say at which end a value lies; an end that the parameter cannot go beyond is none."""
    if place is None or own.low is None or own.high is None:
        return ""
    if own.kind == "integer" and own.high - own.low < _FEW_VALUES:
        return ""
    if place <= EDGE_SHARE and own.low > lowest:
        return "low"
    return "high" if place >= 1 - EDGE_SHARE and (highest is None or own.high < highest) else ""
