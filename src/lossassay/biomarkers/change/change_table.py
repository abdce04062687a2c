"""`lossassay change`: extracted features and a table of visits in, change of each feature out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from lossassay.biomarkers.change.joined_visits import id_cells, join_table, read_features
from lossassay.biomarkers.features.feature_table import FeatureTable
from lossassay.biomarkers.quality.run_changes import change_rows
from lossassay.biomarkers.quality.visit_rows import DAYS_PER_YEAR
from lossassay.biomarkers.quality.visits import (
    FEWEST_REPEATS,
    FEWEST_SUBJECTS,
    Changes,
    Coefficient,
    Measurements,
    changes,
    coefficient_of,
    num_changing,
    repeats,
)
from lossassay.data.table_columns import as_number
from lossassay.data.visit_times import VisitTimes, moments_of, visit_times
from lossassay.engine.spec import Array
from lossassay.errors import DataError
from lossassay.study.folder.columns import LATER_TABLES, column_type

GROUP = "group"  # column of `lossassay extract`: the patient as a keyed hash
_OF_RUNS = ("run", "arm", "replicate")  # columns that a study's table has besides


@dataclass(frozen=True, kw_only=True)
class ChangeColumns:
    """Which columns say what; in the table of visits, or else in that of features.

    Args:
        time: Dates or numbers.
        subject: Whose an image is; None: ``group``, as `lossassay extract` writes it.
        score: A clinical score; None: none.
        path: Of the table of visits: the images, spelled as in the table that was extracted.
        time_unit: Of times that are numbers.
    """

    time: str
    subject: str | None = None
    score: str | None = None
    path: str = "path"
    time_unit: Literal["years", "days"] = "years"


@dataclass(frozen=True, kw_only=True)
class FeatureChanges:
    """What was found.

    Args:
        table: One row for each feature, with intervals.
        images: That took part.
        left_out: Images without a subject or a time.
        subjects: With images of two times or more.
        coefficient_from: Where the smallest detectable change comes from; None: it is not known.
        level: Of all intervals.
    """

    table: pl.DataFrame
    images: int
    left_out: int
    subjects: int
    coefficient_from: str | None
    level: float = 0.95

    def strongest(self, count: int) -> pl.DataFrame:
        """Return the features that change most: beside the smallest detectable change, or else beside the interval."""
        width = pl.col("change_per_year_high") - pl.col("change_per_year_low")
        by_width = (pl.col("change_per_year").abs() / width).fill_nan(None)  # 0 / 0 for a constant feature
        by = by_width if self.coefficient_from is None else "change_in_coefficients"
        return self.table.sort(by, descending=True, nulls_last=True, maintain_order=True).head(count)

    def write(self, path: Path) -> None:
        """Write the table, .csv or .parquet."""
        check_table_suffix(path)
        with FeatureTable(path) as table:
            table.add(self.table)
            table.finish()


def check_table_suffix(path: Path) -> None:
    """Refuse a format that a table of changes is not written in.

    Raises:
        DataError: With those that it is.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise DataError(f"{path.name} ends with {path.suffix!r}. Expected .csv or .parquet. Change the name.")


def feature_changes(
    features: Path,
    columns: ChangeColumns,
    *,
    table: Path | None = None,
    repeatability: Path | None = None,
    alpha: float = 0.05,
) -> FeatureChanges:
    """Return the change of each feature over the visits of subjects.

    The smallest detectable change comes from ``repeatability`` if given, else from two images of one subject of one
    time with one label where ten subjects have them; else it is not known.

    Args:
        features: A table of `lossassay extract`, .parquet, .csv or .npz.
        columns: Which say what.
        table: The table of visits; None: the columns are in ``features``.
        repeatability: A table of `lossassay extract` of subjects that did not change, two images or more of each.
        alpha: All intervals are those at a level of 1 - alpha.

    Raises:
        DataError: If a column is missing or holds something else, fewer than three subjects have images of two times,
            or no feature differs between images.
    """
    if not 0 < alpha < 1:
        raise DataError(f"alpha must lie between 0 and 1, got {alpha!r}. Use 0.05 for intervals at 95 %.")
    found = read_features(features)
    frame = found.frame if table is None else join_table(found, table, path_column=columns.path)
    subjects, times = _subjects(frame, columns), _times(frame, columns)
    known = np.array([value is not None for value in times.since_first])
    scores = None if columns.score is None else _scores(frame, columns.score)
    measured = Measurements(
        values=found.values[known],
        subjects=subjects[known],
        years=_years(times, columns)[known],
        scores=None if scores is None else scores[known],
    )
    _refuse_nothing(measured)
    level = 1 - alpha
    coefficient = (
        _coefficient(measured, times, frame.filter(pl.Series(known)), columns, level)
        if repeatability is None
        else _given(repeatability, found.names, columns, level)
    )
    over_time = changes(measured, coefficient, level=level)
    assert over_time is not None  # noqa: S101 - for the type checker: subjects were counted
    return FeatureChanges(
        table=_as_table(over_time, found.names),
        images=len(measured.years),
        left_out=int((~known).sum()),
        subjects=over_time.mean.num_subjects,
        coefficient_from=None if coefficient is None else coefficient.source,
        level=level,
    )


def _as_table(over_time: Changes, names: list[str]) -> pl.DataFrame:
    schema = {name: column_type(name) for name in LATER_TABLES["biomarker_changes"] if name not in _OF_RUNS}
    rows = list(change_rows(over_time, names))
    return pl.DataFrame(rows, schema=schema, strict=False).with_columns(pl.selectors.float().fill_nan(None))


def _subjects(frame: pl.DataFrame, columns: ChangeColumns) -> Array:
    """Number the subjects; -1 where none is known."""
    cells = id_cells(frame, columns.subject or GROUP, "--subject")
    if not any(cells):
        raise DataError(
            f"The column {columns.subject or GROUP!r} is empty, so nothing says which images are of one subject. "
            "Expected an identifier in each row. Name the column with --subject."
        )
    numbers: dict[str, int] = {}
    return np.array([-1 if cell is None else numbers.setdefault(cell, len(numbers)) for cell in cells])


def _times(frame: pl.DataFrame, columns: ChangeColumns) -> VisitTimes:
    moments = moments_of(id_cells(frame, columns.time, "--time"))
    if moments is None:
        raise DataError(
            f"The column {columns.time!r} (--time) holds cells that are no dates like the others. Expected one kind in "
            "the whole column: dates as 2024-01-31, 20240131 or 31.01.2024, or numbers. Correct them, or leave them "
            "empty."
        )
    found = visit_times(moments, [None if one < 0 else one for one in _subjects(frame, columns).tolist()])
    if found is None:
        raise DataError(
            f"No subject of {columns.subject or GROUP!r} has images of two times ({columns.time!r}). Expected "
            f"{FEWEST_SUBJECTS} subjects or more with two visits. Check --subject and --time."
        )
    return found


def _years(times: VisitTimes, columns: ChangeColumns) -> Array:
    in_days = times.unit == "days" or columns.time_unit == "days"
    found: Array = times.since_first.to_numpy() / (DAYS_PER_YEAR if in_days else 1.0)
    return found


def _scores(frame: pl.DataFrame, name: str) -> Array:
    cells = id_cells(frame, name, "--score")
    numbers = [None if cell is None else as_number(cell) for cell in cells]
    wrong = sum(number is None and cell is not None for number, cell in zip(numbers, cells, strict=True))
    if wrong:
        raise DataError(
            f"{wrong} cells of {name!r} (--score) are no numbers. Expected a clinical score in numbers. Correct them, "
            "or leave them empty."
        )
    return np.array([np.nan if number is None else number for number in numbers])


def _refuse_nothing(measured: Measurements) -> None:
    count = num_changing(measured)
    if count < FEWEST_SUBJECTS:
        raise DataError(
            f"{count} subjects have images of two times. Expected {FEWEST_SUBJECTS} or more. Extract the features of "
            "more visits."
        )
    if not np.ptp(measured.values, axis=0).any():
        raise DataError(
            "Every feature has one value in all images. Expected features that differ between images. Check that the "
            "run did not diverge, and that the images are not blank."
        )


def _coefficient(
    measured: Measurements, times: VisitTimes, frame: pl.DataFrame, columns: ChangeColumns, level: float
) -> Coefficient | None:
    if times.is_coarse and not (times.unit == "number" and columns.time_unit == "days"):
        return None
    labels = frame["label"].cast(pl.String).fill_null("").to_list() if "label" in frame.columns else [""] * len(frame)
    occasions: dict[tuple[float, str], int] = {}
    keys = zip(measured.years.tolist(), labels, strict=True)
    numbers = np.array([occasions.setdefault(key, len(occasions)) for key in keys])
    pairs = repeats(measured.values, measured.subjects, numbers)
    return None if pairs is None else coefficient_of(pairs, "repeat images", level=level)


def _given(path: Path, names: list[str], columns: ChangeColumns, level: float) -> Coefficient:
    found = read_features(path)
    if found.names != names:
        raise DataError(
            f"{path} (--repeatability) has {len(found.names)} features and the other table {len(names)}, or other "
            "names. Expected the same run and layer. Extract both with one call's options."
        )
    name = columns.subject if columns.subject in found.frame.columns else GROUP
    subjects = _subjects(found.frame, ChangeColumns(time=columns.time, subject=name))
    known = subjects >= 0
    pairs = repeats(found.values[known], subjects[known], np.zeros(int(known.sum()), dtype=int))
    if pairs is None:
        raise DataError(
            f"{path} (--repeatability) has fewer than {FEWEST_REPEATS} subjects with two images. Expected repeated "
            "images of subjects that did not change. Give a table with more of them, or leave --repeatability out."
        )
    return coefficient_of(pairs, "given repeats", level=level)
