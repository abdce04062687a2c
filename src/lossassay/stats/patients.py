"""The part of a standard error that is due to the patients who happened to be tested."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
from jaxtyping import Float, Int, Real

from lossassay.errors import DataError
from lossassay.stats.intervals import Array

_SPARSE = 10  # times as many numbers as rows

Influences = Sequence[tuple[Int[Array, " _"], Real[Array, " _"]]]
"""For each replicate the patient of each test row, and the row's influence value (of a pair: on a less that on b).

A replicate without rows is one that is missing. ``StackedInfluences`` is quicker where many arms have the same rows.
"""


@dataclass(frozen=True, kw_only=True)
class PatientsOfRows:
    """The patients of the test rows of some replicates, one replicate after the other.

    Args:
        names: Of each row, any integers.
        sizes: Rows of each replicate, at least 1.
    """

    names: Int[Array, " rows"]
    sizes: Int[Array, " replicates"]

    @cached_property
    def ends(self) -> Int[Array, " replicates"]:
        """The row after the last one of each replicate."""
        return np.cumsum(self.sizes)

    @cached_property
    def num_patients(self) -> int:
        """Distinct patients."""
        return self._places[0]

    @cached_property
    def cells(self) -> Int[Array, " rows"]:
        """A number for each replicate and patient, of each row."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes) * self.num_patients + self._places[1]

    @cached_property
    def _places(self) -> tuple[int, Int[Array, " rows"]]:
        return _places(self.names)


@dataclass(frozen=True, kw_only=True)
class StackedInfluences(Sequence[tuple[Int[Array, " _"], Real[Array, " _"]]]):
    """Influence values on rows that other arms and yardsticks share, so that their patients are looked up once.

    Args:
        rows: None of the replicates is missing.
        values: Influence value of each row.
    """

    rows: PatientsOfRows
    values: Real[Array, " rows"]

    def __len__(self) -> int:
        return len(self.rows.sizes)

    @overload
    def __getitem__(self, place: int) -> tuple[Int[Array, " _"], Real[Array, " _"]]: ...
    @overload
    def __getitem__(self, place: slice) -> list[tuple[Int[Array, " _"], Real[Array, " _"]]]: ...
    def __getitem__(self, place: int | slice) -> object:
        if isinstance(place, slice):
            return [self[index] for index in range(*place.indices(len(self)))]
        end = self.rows.ends[place]
        own = slice(end - self.rows.sizes[place], end)
        return self.rows.names[own], self.values[own]

    def __sub__(self, other: "StackedInfluences") -> "StackedInfluences":
        """Return the influence on a difference of two arms with the same rows."""
        return StackedInfluences(rows=self.rows, values=self.values - other.values)


@dataclass(frozen=True, kw_only=True)
class PatientErrors:
    """The patients' part of the standard error after the first 1, 2, ... replicates, [R] each.

    Args:
        errors: With these replicates; infinite before there are two patients.
        floors: About what it would come down to with endless replicates of these patients: nan before two replicates,
            0 where they are too few to see it.
        degrees_of_freedom: That fit the errors; nan before two patients.
        num_patients: Distinct patients tested so far.
    """

    errors: Float[Array, " replicates"]
    floors: Float[Array, " replicates"]
    degrees_of_freedom: Float[Array, " replicates"]
    num_patients: Int[Array, " replicates"]


def patient_parts(influences: Influences) -> PatientErrors:
    r"""Return the patients' part of a standard error after each replicate.

    With :math:`\Psi_p = \frac{1}{R} \sum_r \sum_{i \in p} \psi_{ri} / n_r` over all test rows of a patient, each
    patient counts once, however often it was tested, and :math:`Q_k = \sum_p (\Psi_p - \bar\Psi)^k`:

    .. math:: V = \left(1 + \frac{1}{\nu}\right) Q_2, \quad \nu = \min\left(P - 1, \frac{2 Q_2^2}{Q_4 - Q_2^2/P}\right)

    V is the variance of a sum over patients (infinitesimal jackknife by cluster). The degrees of freedom are those that
    fit the spread of the squares (Satterthwaite 1946, Biometrics Bull. 2:110): P - 1 for normal values, where V has the
    usual factor P / (P - 1), and few where few patients carry the sum, as with a rare class.

    The floor leaves out of the square of the sum over replicates the squares of each: what is left is unbiased for the
    square with endless replicates.

    Args:
        influences: For each replicate the patient of each test row (any integers) and its influence value.

    Raises:
        DataError: If the lengths of a replicate differ, or an influence value is not finite.
    """
    states = list(_accumulate(influences))
    found = np.array([_of_state(state) for state in states]).reshape(len(states), 3)
    return PatientErrors(
        errors=found[:, 0],
        floors=found[:, 1],
        degrees_of_freedom=found[:, 2],
        num_patients=np.array([len(state.sums) for state in states], dtype=int),
    )


def patient_errors(influences: Influences) -> Float[Array, " replicates"]:
    """Return the errors of ``patient_parts`` alone, [R]; infinite before there are two patients."""
    return patient_parts(influences).errors


def last_part(influences: Influences) -> tuple[float, float, float, int]:
    """Return the last error, floor, degrees of freedom and number of patients of ``patient_parts``, and quicker."""
    state = _total(influences)
    return *_of_state(state), len(state.sums)


@dataclass(frozen=True, kw_only=True)
class _State:
    """Sums over the replicates so far.

    Args:
        sums: Of each patient tested so far, over replicates, of its influence values by the rows of the replicate.
        own_squares: Over replicates and patients, of the squares of what was summed.
        count: Replicates.
    """

    sums: Float[Array, " patients"]
    own_squares: float
    count: int


def _accumulate(influences: Influences) -> Iterator[_State]:
    """Yield the sums after each replicate."""
    names = np.unique(np.concatenate([np.zeros(0, dtype=int), *(patients for patients, _ in influences)]))
    sums, seen = np.zeros(len(names)), np.zeros(len(names), dtype=bool)
    own_squares, count = 0.0, 0
    for replicate, (patients, psi) in enumerate(influences):
        _check(replicate, patients, psi)
        if len(psi):
            places = np.searchsorted(names, patients)
            own = np.bincount(places, psi, minlength=len(names)) / len(psi)
            seen[places] = True
            sums, own_squares, count = sums + own, own_squares + float(own @ own), count + 1
        yield _State(sums=sums[seen], own_squares=own_squares, count=count)


def _total(influences: Influences) -> _State:
    """Return the sums after the last replicate: the bits of `_accumulate`, whose sums are made one by one."""
    stacked = influences if isinstance(influences, StackedInfluences) else _stacked(influences)
    if stacked is None:
        return _State(sums=np.zeros(0), own_squares=0.0, count=0)
    rows, replicates = stacked.rows, len(stacked)
    if not np.isfinite(stacked.values).all():
        for replicate, (patients, psi) in enumerate(influences):
            _check(replicate, patients, psi)
    sums = np.bincount(rows.cells, stacked.values, minlength=replicates * rows.num_patients)
    own = sums.reshape(replicates, rows.num_patients) / rows.sizes[:, None]
    own_squares = 0.0
    for of_replicate in own:
        own_squares += float(of_replicate @ of_replicate)
    return _State(sums=own.sum(axis=0), own_squares=own_squares, count=replicates)


def _stacked(influences: Influences) -> StackedInfluences | None:
    """Return the replicates that are there; None without any."""
    present = [(patients, psi) for patients, psi in influences if len(psi)]
    if any(len(patients) != len(psi) for patients, psi in influences):
        for replicate, (patients, psi) in enumerate(influences):
            _check(replicate, patients, psi)
    if not present:
        return None
    names = np.concatenate([patients for patients, _ in present])
    rows = PatientsOfRows(names=names, sizes=np.array([len(psi) for _, psi in present]))
    return StackedInfluences(rows=rows, values=np.concatenate([psi for _, psi in present]))


def _places(patients: Int[Array, " rows"]) -> tuple[int, Int[Array, " rows"]]:
    """Return how many patients there are, and the place of each row's patient among them, by rising number."""
    lowest, highest = int(patients.min()), int(patients.max())
    if highest - lowest > _SPARSE * len(patients):  # numbers far apart: a table of all between them would be large
        names, places = np.unique(patients, return_inverse=True)
        return len(names), places
    is_there = np.zeros(highest - lowest + 1, dtype=np.int64)
    is_there[patients - lowest] = 1
    return int(is_there.sum()), (np.cumsum(is_there) - 1)[patients - lowest]


def _of_state(state: _State) -> tuple[float, float, float]:
    """Return error, floor and degrees of freedom."""
    patients, count = len(state.sums), state.count
    if patients < 2:
        return float("inf"), float("nan"), float("nan")
    largest = float(np.abs(state.sums).max())
    if largest == 0:
        return 0.0, 0.0 if count > 1 else float("nan"), patients - 1.0
    squares = ((state.sums - state.sums.mean()) / largest) ** 2  # by the largest: no underflow
    total = float(squares.sum())
    excess = float((squares**2).sum()) - total**2 / patients
    freedom = min(patients - 1.0, 2 * total**2 / excess) if excess > 0 else patients - 1.0
    scale = (1 + 1 / freedom) ** 0.5 * largest
    error = scale * total**0.5 / count
    if count < 2:
        return error, float("nan"), freedom
    between = (total - state.own_squares / largest**2) / (count * (count - 1))
    return error, min(error, scale * max(0.0, between) ** 0.5), freedom


def _check(replicate: int, patients: Int[Array, " _"], psi: Real[Array, " _"]) -> None:
    if len(patients) != len(psi):
        raise DataError(
            f"Replicate {replicate} came with {len(patients)} patients and {len(psi)} influence values. "
            "Give both for the same test rows, in the same order."
        )
    if not np.isfinite(psi).all():
        raise DataError(
            f"{np.count_nonzero(~np.isfinite(psi))} of {len(psi)} influence values of replicate {replicate} are nan or "
            "infinite. Where the metric is undefined, leave the replicate out: give it no rows."
        )
