"""Grades from names in order, and from numbers cut into bands."""

import pytest

from lossassay.config import DataConfig, parse_study
from lossassay.data.order import cut
from lossassay.data.scan import scan
from lossassay.errors import DataError, StudyFileError
from tests.data.conftest import Folder


def test_classes_are_numbered_by_their_place_in_the_order(class_folders: Folder) -> None:
    folder = class_folders({"severe": 2, "none": 3, "mild": 1})
    manifest = scan(DataConfig(path=str(folder), order=("none", "mild", "severe")))
    assert manifest.task == "ordinal"
    assert manifest.class_names == ("none", "mild", "severe")
    of_folder = {path.split("/")[0]: label for path, label in manifest.rows.select("path", "label").iter_rows()}
    assert of_folder == {"none": 0, "mild": 1, "severe": 2}


@pytest.mark.parametrize(
    "order",
    [("none", "mild"), ("none", "mild", "sever"), ("none", "mild", "severe", "worst"), ("none", "none", "mild")],
)
def test_an_order_that_does_not_name_every_class_once_is_refused(class_folders: Folder, order: tuple[str, ...]) -> None:
    folder = class_folders({"severe": 2, "none": 3, "mild": 1})
    with pytest.raises(DataError, match=r"must name every class once.*The classes are mild, none, severe"):
        scan(DataConfig(path=str(folder), order=order))


def test_numbers_are_cut_into_bands() -> None:
    names, bands = cut(["39.9", "40", "59", "60", "90"], [40, 60], "ages")
    assert names == ("below 40", "40 to 60", "60 and above")
    assert bands == [0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("labels", "limits", "message"),
    [
        (["1", "x"], [1], "1 of 2 labels are no numbers"),
        (["1", None], [1], "1 of 2 labels are no numbers"),
        (["1", "inf"], [1], "1 of 2 labels are no numbers"),
        (["1", "2"], [2, 1], "must be rising numbers"),
        (["1", "2"], [], "must be rising numbers"),
        (["1", "2"], [5], r"no label lies in the band '5 and above'.*from 1 to 2"),
    ],
)
def test_what_cannot_be_cut_is_refused(labels: list[str], limits: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        cut(labels, limits, "ages")


def test_bands_and_an_order_together_are_refused() -> None:
    raw = {"name": "x", "arms": [{"loss": "cce"}], "data": {"path": "x.csv", "label_bins": [1.0], "order": ["a", "b"]}}
    with pytest.raises(StudyFileError, match=r"data\.label_bins: cuts one number per image"):
        parse_study(raw)
