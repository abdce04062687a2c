"""Visits of a data set: years from days and numbers, which images are of one day, and the score's column."""

import numpy as np
import polars as pl
import pytest

from lossassay.biomarkers.quality.visit_rows import DAYS_PER_YEAR, visits_of
from lossassay.config.schema import BiomarkersConfig
from lossassay.data.manifest import Manifest, manifest_rows
from lossassay.data.visit_times import VisitTimes
from lossassay.errors import DataError


def manifest(unit: str = "days", *, is_coarse: bool = False, exams: list[str] | None = None) -> Manifest:
    times = VisitTimes(since_first=pl.Series([0.0, 730.5, None]), unit=unit, is_coarse=is_coarse)  # type: ignore[arg-type]
    return Manifest(
        kind="files",
        root=None,
        rows=manifest_rows(["a", "b", "c"], [0, 1, 0], task="single_label", groups=["x", "x", "x"], exams=exams),
        class_names=("a", "b"),
        task="single_label",
        dimensions=2,
        visits=times,
        columns=pl.DataFrame({"mmse": [30.0, None, float("inf")], "side": ["l", "r", "l"]}),
    )


@pytest.mark.parametrize(
    ("unit", "time_unit", "years"), [("days", "years", 2), ("number", "days", 2), ("number", "years", 730.5)]
)
def test_dates_need_no_unit_and_numbers_have_that_of_the_study(unit: str, time_unit: str, years: float) -> None:
    found = visits_of(manifest(unit), BiomarkersConfig.model_validate({"time_unit": time_unit}))
    assert found is not None
    assert found.years == pytest.approx([0, years, np.nan], nan_ok=True)
    assert years == 730.5 or years == 730.5 / DAYS_PER_YEAR


@pytest.mark.parametrize(
    ("unit", "is_coarse", "time_unit", "same_day"),
    [
        ("days", False, "years", True),
        ("days", True, "years", False),
        ("number", False, "years", True),
        ("number", True, "years", False),
        ("number", True, "days", True),
    ],
)
def test_equal_times_are_one_day_unless_they_are_coarse(
    unit: str, is_coarse: bool, time_unit: str, same_day: bool
) -> None:
    found = visits_of(manifest(unit, is_coarse=is_coarse), BiomarkersConfig.model_validate({"time_unit": time_unit}))
    assert found is not None
    assert found.same_day == same_day


def test_rows_of_an_exam_share_a_number() -> None:
    alone, together = (visits_of(manifest(exams=exams), BiomarkersConfig()) for exams in (None, ["e", "f", "e"]))
    assert alone is not None
    assert together is not None
    assert alone.exams.tolist() == [0, 1, 2]
    assert together.exams.tolist() == [0, 1, 0]


def test_a_score_is_a_column_of_numbers() -> None:
    found = visits_of(manifest(), BiomarkersConfig(score="mmse"))
    assert found is not None
    assert found.score == "mmse"
    assert found.scores == pytest.approx([30, np.nan, np.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        ("mse", r"no column 'mse'.*Columns of numbers: mmse. Did you mean 'mmse'\?"),
        ("side", r"The column 'side' \(biomarkers.score\) holds text"),
    ],
)
def test_another_column_is_refused(score: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        visits_of(manifest(), BiomarkersConfig(score=score))
