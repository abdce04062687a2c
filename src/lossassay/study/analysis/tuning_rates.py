"""How good the trials of each arm were by their learning rate, and whether the better arm changes with it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lossassay import stats
from lossassay.config import Study
from lossassay.engine.spec import Array
from lossassay.study.analysis.family import compared_pairs
from lossassay.study.analysis.tuning_results import Job, Trial, common_epochs
from lossassay.study.analysis.units import Units

RATE = "learning_rate"
_BINS = 6  # of the learning rates that were tried, of equal width on a logarithmic scale

Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class _Best:
    """The best trial of one job in one bin, where all trials have the same number of epochs.

    Args:
        value: Of the trial.
        shortfall: How far below the best trial of the whole job, 0 or more.
        trials: In the bin, with a value.
        tried: In the bin, with those that diverged.
    """

    value: float
    shortfall: float
    trials: int
    tried: int


def sensitivity_rows(study: Study, jobs: Sequence[Job]) -> Rows:
    """Return how good the best trials of each arm were by their learning rate.

    All trials are compared after the same number of epochs, the most that every trial has. In each bin a job counts
    with its best trial: a mean would punish an arm for the values of a parameter that other arms do not have. Intervals
    are over jobs and hold by themselves; those that compare arms are of `rate_difference_rows`.
    """
    edges = _edges(jobs)
    for index in range(len(edges) - 1):
        found = _best_of_bin(study, jobs, edges, index)
        for arm in (arm.name for arm in study.arms):
            own = [best for (name, _), best in found.items() if name == arm]
            if own:
                yield {"arm": arm, **_limits(edges, index), **_bin_row(own, study)}


def rate_difference_rows(study: Study, jobs: Sequence[Job], units: Units) -> Rows:
    """Return by how much the best trials of two arms differ in each bin, paired within jobs of one replicate.

    Intervals are simultaneous: Bonferroni over bins times compared pairs. A replicate counts only where both arms had
    as many trials in the bin, as the best of many is better than the best of few.

    Args:
        study: The study.
        jobs: Finished.
        units: What counts as one observation.
    """
    edges, pairs, names = _edges(jobs), compared_pairs(study), [arm.name for arm in study.arms]
    places = [(index, pair) for index in range(len(edges) - 1) for pair in pairs]
    if not places:
        return
    found = {index: _best_of_bin(study, jobs, edges, index) for index in range(len(edges) - 1)}
    scores = np.full((1 + max(job.replicate or 0 for job in jobs), 2 * len(places)), np.nan)
    for place, (index, (a, b)) in enumerate(places):
        for replicate in range(len(scores)):
            both = [found[index].get((names[arm], replicate)) for arm in (a, b)]
            if both[0] is not None and both[1] is not None and both[0].tried == both[1].tried:
                scores[replicate, 2 * place : 2 * place + 2] = both[0].value, both[1].value
    columns = [(2 * place, 2 * place + 1) for place in range(len(places))]
    observed, own = units.observations(scores, columns)
    intervals = stats.paired_differences(
        observed, own, alpha=study.evidence.alpha, family_size=len(places), test_share_ratio=units.test_share_ratio
    )
    for (index, (a, b)), column, interval in zip(places, columns, intervals, strict=True):
        replicates = units.replicates(scores, column)
        if replicates:
            numbers = {"difference": interval.estimate, "low": interval.low, "high": interval.high}
            known = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
            yield {"arm_a": names[a], "arm_b": names[b], **_limits(edges, index), **known, "jobs": replicates}


def rate_changes(differences: pl.DataFrame, *, high: bool) -> list[dict[str, Any]]:
    """Return the pairs of arms of which each is better at some learning rates, by simultaneous intervals.

    Args:
        differences: Of `rate_difference_rows`.
        high: Whether high values are good.

    Returns:
        Both names, and from which to which learning rate each is better.
    """
    found: list[dict[str, Any]] = []
    for (a, b), own in differences.group_by("arm_a", "arm_b", maintain_order=True):
        above, below = _joined(own.filter(pl.col("low") > 0)), _joined(own.filter(pl.col("high") < 0))
        if above and below:
            better_a, better_b = (above, below) if high else (below, above)
            found.append({"arm_a": a, "arm_b": b, "a_better": better_a, "b_better": better_b})
    return found


def _joined(rows: pl.DataFrame) -> list[list[float]]:
    """Return from which to which learning rate rows lie; neighbours are joined."""
    found: list[list[float]] = []
    for low, high in rows.select("learning_rate_low", "learning_rate_high").sort("learning_rate_low").iter_rows():
        if found and found[-1][1] == low:
            found[-1][1] = high
        else:
            found.append([low, high])
    return found


def _edges(jobs: Sequence[Job]) -> Array:
    """Return the limits of the bins; none where one learning rate or no trial is there."""
    rates = [trial.parameters[RATE] for job in jobs for trial in job.trials if RATE in trial.parameters]
    if not rates or min(rates) == max(rates):
        return np.zeros(0)
    return np.geomspace(min(rates), max(rates), _BINS + 1)


def _limits(edges: Array, index: int) -> dict[str, float]:
    low, high = float(edges[index]), float(edges[index + 1])
    return {"learning_rate_low": low, "learning_rate": math.sqrt(low * high), "learning_rate_high": high}


def _best_of_bin(study: Study, jobs: Sequence[Job], edges: Array, index: int) -> dict[tuple[str, int], _Best]:
    """Return the best trial of every job that has one in a bin, by arm and replicate; tuned once: replicate 0."""
    epoch, last = common_epochs(jobs), study.training.selection == "last"
    found = {(job.arm, job.replicate or 0): _of_job(job, edges, index, epoch, last) for job in jobs}
    return {key: best for key, best in found.items() if best is not None}


def _of_job(job: Job, edges: Array, index: int, epoch: int, last: bool) -> _Best | None:
    values = {trial.number: trial.value_until(epoch, high=job.high, last=last) for trial in job.trials}
    tried = [values[trial.number] for trial in job.trials if _bin_of(trial, edges) == index]
    inside = [value for value in tried if value is not None]
    if not inside:
        return None
    best_of = max if job.high else min
    best = best_of(inside)
    whole = best_of(value for value in values.values() if value is not None)
    return _Best(value=best, shortfall=abs(whole - best), trials=len(inside), tried=len(tried))


def _bin_of(trial: Trial, edges: Array) -> int | None:
    rate = trial.parameters.get(RATE)
    return None if rate is None else int(np.clip(np.searchsorted(edges, rate, side="right") - 1, 0, len(edges) - 2))


def _bin_row(own: Sequence[_Best], study: Study) -> dict[str, Any]:
    value, shortfall = (
        stats.mean_interval(np.array(numbers), level=1 - study.evidence.alpha)
        for numbers in ([best.value for best in own], [best.shortfall for best in own])
    )
    return {
        "value": value.estimate,
        "value_low": value.low,
        "value_high": value.high,
        "shortfall": shortfall.estimate,
        "shortfall_low": shortfall.low,
        "shortfall_high": shortfall.high,
        "trials": sum(best.trials for best in own),
        "jobs": shortfall.replicates,
    }
