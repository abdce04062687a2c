"""When each image was taken, as the time since the patient's first image: enough for change, and never a date."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import polars as pl

from lossassay.data.table_columns import as_date, as_number, is_placeholder

Moment = datetime.datetime | float


@dataclass(frozen=True, kw_only=True)
class VisitTimes:
    """Times of all rows of a manifest.

    Args:
        since_first: Float64, since the first time of the row's patient; null where time or patient is not known.
        unit: ``"days"`` (dates came: whole days) or ``"number"`` (numbers came, of whatever unit).
        is_coarse: Whether equal times can be months apart: all dates are the first of a month, or all numbers whole.
    """

    since_first: pl.Series
    unit: Literal["days", "number"]
    is_coarse: bool

    def of(self, rows: Sequence[int] | pl.Series) -> "VisitTimes":
        """Return the times of some rows, in the given order; a Boolean series keeps those that are true."""
        if isinstance(rows, pl.Series) and rows.dtype == pl.Boolean():
            return replace(self, since_first=self.since_first.filter(rows))
        return replace(self, since_first=self.since_first[list(rows)])


def visit_times(moments: Sequence[Moment | None] | None, patients: Sequence[Any] | None) -> VisitTimes | None:
    """Return the times since each patient's first; None where no patient has two different ones.

    Args:
        moments: All dates or all numbers, one for each row; None: there is no such column.
        patients: Whose each row is; None: patients are not known.
    """
    if moments is None or patients is None:
        return None
    known = [moment for moment in moments if moment is not None]
    days = [_number(moment) for moment in moments]
    first: dict[Any, float] = {}
    for patient, day in zip(patients, days, strict=True):
        if patient is not None and day is not None:
            first[patient] = min(day, first.get(patient, day))
    elapsed = [
        None if patient is None or day is None else day - first[patient]
        for patient, day in zip(patients, days, strict=True)
    ]
    if not any(elapsed):
        return None
    return VisitTimes(
        since_first=pl.Series(elapsed, dtype=pl.Float64),
        unit="days" if isinstance(known[0], datetime.datetime) else "number",
        is_coarse=all(_is_coarse(moment) for moment in known),
    )


def moments_of(cells: Sequence[str | None]) -> list[Moment | None] | None:
    """Read cells as dates, or else as numbers; None where some are neither, or both occur."""
    filled = [None if is_placeholder(cell) else cell for cell in cells]
    readers: tuple[Any, ...] = (as_date, as_number)
    for read in readers:
        values = [None if cell is None else read(cell) for cell in filled]
        if all((value is None) == (cell is None) for value, cell in zip(values, filled, strict=True)):
            return values
    return None


def _is_coarse(moment: Moment) -> bool:
    return moment.day == 1 if isinstance(moment, datetime.datetime) else moment.is_integer()


def _number(moment: Moment | None) -> float | None:
    return float(moment.toordinal()) if isinstance(moment, datetime.datetime) else moment
