"""Times since a patient's first image: what dates become, and that they follow their rows."""

import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lossassay.config.schema import DataConfig
from lossassay.data.manifest import Manifest, keep_rows, manifest_rows
from lossassay.data.scan import scan
from lossassay.data.visit_times import VisitTimes, moments_of, visit_times
from lossassay.data.volume_rows import as_slices
from tests.study.helpers import write_images


def day(year: int, month: int, of_month: int, hour: int = 0) -> datetime.datetime:
    return datetime.datetime(year, month, of_month, hour)


def test_dates_become_whole_days_since_the_patients_first() -> None:
    moments = [day(2020, 3, 5, 9), day(2020, 3, 1, 23), day(2021, 3, 1), None, day(1999, 1, 2), day(1999, 1, 2, 18)]
    found = visit_times(moments, ["a", "a", "a", "a", "b", "b"])
    assert found is not None
    assert found.since_first.to_list() == [4, 0, 365, None, 0, 0]
    assert (found.unit, found.is_coarse) == ("days", False)


def test_a_row_without_a_patient_has_no_time() -> None:
    found = visit_times([1.5, 2.0, 3.0], ["a", "a", None])
    assert found is not None
    assert found.since_first.to_list() == [0, 0.5, None]
    assert (found.unit, found.is_coarse) == ("number", False)


@pytest.mark.parametrize(
    ("moments", "patients"),
    [
        (None, ["a", "a"]),
        ([1.0, 2.0], None),
        ([1.0, 2.0], ["a", "b"]),
        ([1.0, 1.0], ["a", "a"]),
        ([None, None], ["a", "a"]),
    ],
)
def test_without_a_second_time_there_is_nothing(moments: list | None, patients: list | None) -> None:
    assert visit_times(moments, patients) is None


@pytest.mark.parametrize(
    "moments", [[2019.0, 2020.0], [day(2020, 1, 1), day(2020, 5, 1)]], ids=["years", "months without days"]
)
def test_equal_times_that_can_be_months_apart_are_coarse(moments: list) -> None:
    found = visit_times(moments, ["a", "a"])
    assert found is not None
    assert found.is_coarse


def test_rows_are_chosen_by_place_and_by_mask() -> None:
    times = VisitTimes(since_first=pl.Series([0.0, 1.0, None]), unit="days", is_coarse=False)
    assert times.of([2, 1, 1]).since_first.to_list() == [None, 1, 1]
    assert times.of(pl.Series([True, False, True])).since_first.to_list() == [0, None]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["20200101", None, "n/a"], [day(2020, 1, 1), None, None]),
        (["0.5", "2"], [0.5, 2.0]),
        (["20200101", "later"], None),
    ],
)
def test_cells_are_dates_or_numbers_or_nothing(cells: list[str | None], expected: list | None) -> None:
    assert moments_of(cells) == expected


def test_slices_have_the_time_of_their_volume() -> None:
    times = VisitTimes(since_first=pl.Series([0.0, 9.0]), unit="days", is_coarse=False)
    rows = manifest_rows(["a.nii", "b.nii"], [0, 1], task="single_label")
    volumes = Manifest(
        kind="nifti", root=None, rows=rows, class_names=("a", "b"), task="single_label", dimensions=3, visits=times
    )
    found = as_slices(volumes, [2, 3])
    assert found.visits is not None
    assert found.visits.since_first.to_list() == [0, 0, 9, 9, 9]


def test_a_table_gives_them_in_the_order_of_its_rows_and_no_date_stays(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", per_class=3)
    paths = sorted(str(path.relative_to(images)) for path in images.rglob("*.png"))
    order = np.random.default_rng(0).permutation(len(paths))
    pl.DataFrame(
        {
            "path": [paths[place] for place in order],
            "label": [paths[place].split("/")[0] for place in order],
            "who": [f"patient {place % 2}" for place in order],
            "when": [f"2020-01-{10 + place:02d}" for place in order],
        }
    ).write_csv(images / "visits.csv")
    manifest = scan(DataConfig(path=str(images / "visits.csv"), group="who", time="when"))
    assert manifest.rows["path"].to_list() == paths
    assert manifest.visits is not None
    expected = [float(place - place % 2) for place in range(len(paths))]
    assert manifest.visits.since_first.to_list() == expected
    kept = keep_rows(manifest, [place != 1 for place in range(len(paths))], ())
    assert kept.visits is not None
    assert kept.visits.since_first.to_list() == [value for place, value in enumerate(expected) if place != 1]
    assert "2020" not in repr(manifest)
