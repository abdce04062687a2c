"""What the patients who happened to be tested leave open: influence values of stored runs, pair by pair."""

from collections.abc import Sequence

import numpy as np

from lossassay import metrics, stats
from lossassay.engine.spec import Array
from lossassay.study.analysis.family import Pair
from lossassay.study.analysis.runs import Run

Influences = list[tuple[Array, Array]]  # per replicate: patient of each test row, influence of each row
_NONE: tuple[Array, Array] = (np.zeros(0, dtype=int), np.zeros(0))


def influences_of(runs: Sequence[Run | None], metric: str) -> Influences:
    """Return patients and influence values of one arm's runs, replicate by replicate; empty where a run is missing."""
    return [_of_run(run, metric) for run in runs]


def influences_between(first: Sequence[Run | None], second: Sequence[Run | None], metric: str) -> Influences:
    """Return patients and differences of influence values of two arms; empty where one of them is missing."""
    found = []
    for a, b in zip(first, second, strict=True):
        (patients, of_a), (_, of_b) = _of_run(a, metric), _of_run(b, metric)
        if len(of_a) == len(of_b):  # arms of a replicate share split and order of rows
            found.append((patients, of_a - of_b))
        else:
            found.append(_NONE)
    return found


def patient_part(table: Sequence[Sequence[Run | None]], metric: str, pairs: Sequence[Pair]) -> stats.PatientPart:
    """Return the uncertainty from patients after every replicate.

    Args:
        table: Runs of each arm, by replicate.
        metric: A yardstick.
        pairs: Places of two arms in ``table``.
    """
    shape = (1, len(table[0]), len(pairs))
    errors, freedom, floors = (np.full(shape, np.nan) for _ in range(3))
    for index, (a, b) in enumerate(pairs):
        found = stats.patient_parts(influences_between(table[a], table[b], metric))
        errors[0, :, index], freedom[0, :, index] = found.errors, found.degrees_of_freedom
        floors[0, :, index] = found.floors
    return stats.PatientPart(error=errors, freedom=freedom, floor=floors)


def differences(first: Sequence[Run | None], second: Sequence[Run | None], metric: str) -> Array:
    """Return the paired differences of two arms, replicate by replicate; nan where one of them is missing."""
    pairs = zip(first, second, strict=True)
    return np.array([np.nan if a is None or b is None else a.values[metric] - b.values[metric] for a, b in pairs])


def _of_run(run: Run | None, metric: str) -> tuple[Array, Array]:
    """Return nothing for a run that is missing, or whose yardstick is undefined."""
    if run is None:
        return _NONE
    if metric not in run.influences:
        values = metrics.influence(metric, run.labels, run.probabilities, task=run.task)
        run.influences[metric] = (run.patients, values) if np.isfinite(values).all() else _NONE
    return run.influences[metric]
