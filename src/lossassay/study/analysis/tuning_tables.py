"""The tables of a study with [tuning]: trials, budget, best so far, sensitivity, choices. All on validation parts."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lossassay import stats
from lossassay.config import Study
from lossassay.config.tuning_space import Range, own_ranges, parameters_of
from lossassay.engine.spec import Array
from lossassay.study.analysis.tuning_results import Job, Trial, common_epochs

RATE = "learning_rate"
EDGE_SHARE = 0.05  # of a range, on its scale
_BINS = 6  # of the learning rates that were tried, of equal width on a logarithmic scale
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


def sensitivity_rows(study: Study, jobs: Sequence[Job]) -> Rows:
    """Return how good the trials of each arm were by their learning rate.

    All trials are compared after the same number of epochs, the most that every trial has. Within a bin trials of one
    job are averaged first; intervals are over jobs. ``best`` marks the arm that alone has the best mean of a bin, where
    all arms have trials; it is no test.
    """
    rates = [trial.parameters[RATE] for job in jobs for trial in job.trials if RATE in trial.parameters]
    if not rates or min(rates) == max(rates):
        return
    edges = np.geomspace(min(rates), max(rates), _BINS + 1)
    last, epoch = study.training.selection == "last", common_epochs(jobs)
    names = [arm.name for arm in study.arms]
    for index in range(_BINS):
        found = {}
        for arm in names:
            means = [_of_bin(job, edges, index, epoch, last) for job in jobs if job.arm == arm]
            used = [one for one in means if one is not None]
            if used:
                found[arm] = _bin_row(np.array([one[:2] for one in used]), sum(one[2] for one in used), study)
        best = _alone_best({arm: row["value"] for arm, row in found.items()}, high=jobs[0].high)
        everyone = len(found) == len(names) > 1
        ends = float(edges[index]), float(edges[index + 1])
        limits = dict(
            zip(
                ("learning_rate_low", "learning_rate", "learning_rate_high"),
                (ends[0], math.sqrt(ends[0] * ends[1]), ends[1]),
                strict=True,
            )
        )
        for arm, row in found.items():
            yield {"arm": arm, **limits, **row, "best": everyone and arm == best}


def _alone_best(values: dict[str, float], *, high: bool) -> str | None:
    """Return the arm with the best value; None where two have the same."""
    if not values:
        return None
    best = (max if high else min)(values.values())
    having = [arm for arm, value in values.items() if math.isclose(value, best, rel_tol=1e-9)]
    return having[0] if len(having) == 1 else None


def _of_bin(job: Job, edges: Array, index: int, epoch: int, last: bool) -> tuple[float, float, int] | None:
    """Return mean value and mean shortfall of the trials of a job in one bin, and their number."""
    values = {trial.number: trial.value_until(epoch, high=job.high, last=last) for trial in job.trials}
    known = [value for value in values.values() if value is not None]
    inside = [
        value for trial in job.trials if (value := values[trial.number]) is not None and _bin_of(trial, edges) == index
    ]
    if not inside:
        return None
    best = max(known) if job.high else min(known)
    return float(np.mean(inside)), float(np.mean([abs(best - value) for value in inside])), len(inside)


def _bin_of(trial: Trial, edges: Array) -> int | None:
    rate = trial.parameters.get(RATE)
    return None if rate is None else int(np.clip(np.searchsorted(edges, rate, side="right") - 1, 0, len(edges) - 2))


def _bin_row(means: Array, trials: int, study: Study) -> dict[str, Any]:
    value, shortfall = (stats.mean_interval(own, level=1 - study.evidence.alpha) for own in means.T)
    return {
        "value": value.estimate,
        "value_low": value.low,
        "value_high": value.high,
        "shortfall": shortfall.estimate,
        "shortfall_low": shortfall.low,
        "shortfall_high": shortfall.high,
        "trials": trials,
        "jobs": shortfall.replicates,
    }


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
