"""Whether halving could tell trials apart when it stopped them, or cut among networks that predict one class."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from lossassay.config import Study
from lossassay.study.analysis.context import Context
from lossassay.study.analysis.controls import chance
from lossassay.study.analysis.tuning_results import Job, read_jobs
from lossassay.study.tuning.halving import Rung, rungs

_ROUNDING = 1e-9


def tuning_cut_at_chance(context: Context) -> tuple[bool | None, dict[str, Any]]:
    """Fail where halving cut among trials of which more than half had one value, or none above chance."""
    if context.study.tuning is None:
        return None, {"cuts": []}
    jobs = read_jobs(context.folder, context.plan)
    cut = {arm.name: _cuts(context.study, context.study.training_of(arm).epochs) for arm in context.study.arms}
    if not jobs or not any(cut.values()):
        return None, {"cuts": []}
    found = []
    for arm, own in cut.items():
        of_arm = [job for job in jobs if job.arm == arm]
        found += [row for rung in own if (row := _row(arm, rung, of_arm, context))]
    return not found, {"cuts": found}


def _cuts(study: Study, epochs: int) -> list[Rung]:
    """Return the rungs at which trials are stopped; none without halving."""
    tuning = study.tuning
    if tuning is None or tuning.pruning == "none" or tuning.sampler == "tpe":
        return []
    return [rung for rung in rungs(tuning.trials, epochs, tuning.pruning) if rung.epoch < epochs]


def _row(arm: str, rung: Rung, jobs: Sequence[Job], context: Context) -> list[Any] | None:
    """Return arm, epoch, trials that could not be told apart, trials at the cut, jobs where it was so, and all jobs."""
    last, classes = context.study.training.selection == "last", len(context.classes)
    counts = []
    for job in jobs:
        values = values_at(job, rung.epoch, last=last)
        stuck = stuck_trials(values, chance(job.metric, classes))
        if 2 * stuck > len(values):
            counts.append((stuck, len(values)))
    if not counts:
        return None
    stuck, trials = (sum(own) for own in zip(*counts, strict=True))
    return [arm, rung.epoch, stuck, trials, len(counts), len(jobs)]


def values_at(job: Job, epoch: int, *, last: bool) -> list[float]:
    """Return the values by which the trials of a job were ranked after an epoch, of those that trained so long.

    Args:
        job: The job.
        epoch: Of the cut.
        last: Whether the last epoch is kept in place of the best.
    """
    reached = [trial for trial in job.trials if trial.epochs >= epoch]
    values = [trial.value_until(epoch, high=job.high, last=last) for trial in reached]
    return [value for value in values if value is not None]


def stuck_trials(values: Sequence[float], by_chance: float | None) -> int:
    """Return how many trials cannot be told apart: those no better than chance, or the most with one same value.

    Args:
        values: Of the trials at one cut; high ones are good where chance is known.
        by_chance: What predicting one class reaches; None: not known.
    """
    equal = max((count for count in Counter(values).values() if count > 1), default=0)
    if by_chance is None:
        return equal
    return max(equal, sum(value <= by_chance + _ROUNDING for value in values))
