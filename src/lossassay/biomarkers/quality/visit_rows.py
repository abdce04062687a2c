"""When each row of the data was taken, and a clinical score then: what change over time is computed from."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from lossassay.config.schema import BiomarkersConfig
from lossassay.data.grouping import exam_numbers
from lossassay.data.manifest import Manifest
from lossassay.engine.spec import Array
from lossassay.errors import DataError, did_you_mean

DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, kw_only=True)
class Visits:
    """What is known of all rows of the data.

    Args:
        years: [N] since the first time of the row's patient; nan where it is not known.
        exams: int [N]: rows of one exam are one measurement.
        same_day: Whether equal times are of one day, so that images with equal times are repeats.
        score: Name of the clinical score; None: none was named.
        scores: [N], nan where it is not known; None: none was named.
    """

    years: Array
    exams: Array
    same_day: bool
    score: str | None
    scores: Array | None


def visits_of(manifest: Manifest, settings: BiomarkersConfig) -> Visits | None:
    """Return the visits of the data; None where no patient was seen at two times.

    Raises:
        DataError: If a score was named and cannot be used.
    """
    times = manifest.visits
    if times is None:
        if settings.score is not None:
            raise DataError(
                f"biomarkers.score = {settings.score!r} was given, and no patient of these data has images of two "
                "times. Expected columns that say whose an image is and when it was taken. Name them in data.group "
                "and data.time, or leave biomarkers.score out."
            )
        return None
    in_days = times.unit == "days" or settings.time_unit == "days"
    exams = exam_numbers(manifest)
    return Visits(
        years=_numbers(times.since_first) / (DAYS_PER_YEAR if in_days else 1.0),
        exams=np.arange(len(manifest.rows)) if exams is None else exams,
        same_day=not times.is_coarse or (times.unit == "number" and in_days),
        score=settings.score,
        scores=None if settings.score is None else _scores(manifest, settings.score),
    )


def _scores(manifest: Manifest, name: str) -> Array:
    known = () if manifest.columns is None else manifest.columns.columns
    if manifest.columns is None or name not in known:
        numbers = [column for column in known if _is_numeric(manifest, column)]
        raise DataError(
            f"There is no column {name!r} with a clinical score (biomarkers.score). Columns of numbers: "
            f"{', '.join(numbers) or 'none'}.{did_you_mean(name, numbers)} A column of the table with another name "
            f'counts when it is stated: data.columns = {{ "{name}" = "number" }}.'
        )
    if not _is_numeric(manifest, name):
        raise DataError(
            f"The column {name!r} (biomarkers.score) holds text. Expected the numbers of a clinical score. "
            f'State it with data.columns = {{ "{name}" = "number" }} to see which cells are none.'
        )
    return _numbers(manifest.columns[name])


def _is_numeric(manifest: Manifest, name: str) -> bool:
    return manifest.columns is not None and manifest.columns[name].dtype.is_numeric()


def _numbers(values: pl.Series) -> Array:
    found: Array = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return np.where(np.isfinite(found), found, np.nan)
