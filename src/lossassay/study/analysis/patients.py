"""What the patients who happened to be tested leave open: influence values of stored runs, pair by pair."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from lossassay import metrics, stats
from lossassay.engine.spec import Array
from lossassay.study.analysis.family import Pair
from lossassay.study.analysis.runs import Run

_NONE: tuple[Array, Array] = (np.zeros(0, dtype=int), np.zeros(0))


class TestedPatients:
    """Influence values of the runs of a study.

    Args:
        table: Runs of each arm, by replicate.
    """

    def __init__(self, table: Sequence[Sequence[Run | None]]) -> None:
        self._table = table
        self._of_arms: dict[tuple[int, str], stats.Influences] = {}

    def of(self, arm: int, metric: str) -> stats.Influences:
        """Return patients and influence values of one arm, replicate by replicate; empty where a run is missing.

        Args:
            arm: Its place in the table.
            metric: A yardstick.
        """
        key = (arm, metric)
        if key not in self._of_arms:
            of_runs = [_of_run(run, metric) for run in self._table[arm]]
            values = [psi for _, psi in of_runs]
            if self._rows is None or not all(map(len, values)):
                self._of_arms[key] = of_runs
            else:
                stacked = stats.StackedInfluences(rows=self._rows, values=np.concatenate(values))
                for run, own in zip(self._table[arm], stacked, strict=True):
                    if run is not None:
                        run.influences[metric] = own  # the same memory: with many runs a copy of each would be much
                self._of_arms[key] = stacked
        return self._of_arms[key]

    def between(self, pair: Pair, metric: str) -> stats.Influences:
        """Return patients and differences of influence values of two arms; empty where one of them is missing."""
        first, second = self.of(pair[0], metric), self.of(pair[1], metric)
        if isinstance(first, stats.StackedInfluences) and isinstance(second, stats.StackedInfluences):
            return first - second
        both = zip(first, second, strict=True)
        return [(patients, a - b) if len(a) == len(b) else _NONE for (patients, a), (_, b) in both]

    @cached_property
    def _rows(self) -> stats.PatientsOfRows | None:
        """The rows that all arms were tested on, which share split and order of rows; None where one has others."""
        of_replicates = []
        for runs in zip(*self._table, strict=True):
            tested = [run.patients for run in runs if run is not None]
            if not tested or not len(tested[0]) or not all(np.array_equal(own, tested[0]) for own in tested):
                return None
            of_replicates.append(tested[0])
        if not of_replicates:
            return None
        sizes = np.array([len(patients) for patients in of_replicates])
        return stats.PatientsOfRows(names=np.concatenate(of_replicates), sizes=sizes)


def patient_part(table: Sequence[Sequence[Run | None]], metric: str, pairs: Sequence[Pair]) -> stats.PatientPart:
    """Return the uncertainty from patients after every replicate.

    Args:
        table: Runs of each arm, by replicate.
        metric: A yardstick.
        pairs: Places of two arms in ``table``.
    """
    shape = (1, len(table[0]), len(pairs))
    errors, freedom, floors = (np.full(shape, np.nan) for _ in range(3))
    tested = TestedPatients(table)
    for index, pair in enumerate(pairs):
        found = stats.patient_parts(tested.between(pair, metric))
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
        values = metrics.influence_of(metric, run.tested)
        run.influences[metric] = (run.patients, values) if np.isfinite(values).all() else _NONE
    return run.influences[metric]
