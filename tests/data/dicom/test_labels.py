"""Labels joined from a table."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lossassay.data.scan import scan
from lossassay.errors import DataError
from tests.data.dicom.made import noise, uid, write
from tests.data.dicom.test_scan import codes, config, finding


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Six images of three patients."""
    for number in range(6):
        write(
            tmp_path / "tree" / f"{number}",
            noise(number),
            PatientID=f"00{number // 2}7",
            AccessionNumber=f"A{number // 2}",
            StudyInstanceUID=uid("study", number // 2),
            SeriesInstanceUID=uid("series", number),
            SOPInstanceUID=uid("image", number),
        )
    return tmp_path / "tree"


def table(tree: Path, columns: dict[str, list[Any]]) -> str:
    path = tree.parent / "labels.csv"
    pl.DataFrame(columns).write_csv(path)
    return str(path)


@pytest.mark.parametrize(
    ("join", "identifiers"),
    [
        ("SOPInstanceUID", [uid("image", number) for number in range(6)]),
        ("SeriesInstanceUID", [uid("series", number) for number in range(6)]),
        ("StudyInstanceUID", [uid("study", number) for number in range(3)]),
        ("AccessionNumber", ["A0", "A1", "A2"]),
        ("PatientID", ["0007", "0017", "0027"]),
    ],
)
def test_every_identifier_joins(tree: Path, join: str, identifiers: list[str]) -> None:
    labels = ["x" if number < len(identifiers) / 2 else "y" for number in range(len(identifiers))]
    path = table(tree, {join: identifiers, "label": labels})
    manifest = scan(config(tree, dicom={"labels": path, "join": join}))
    by_path = [labels[number * len(identifiers) // 6] for number in range(6)]
    assert [manifest.class_names[label] for label in manifest.rows["label"]] == by_path
    assert codes(manifest) == set()


def test_columns_of_the_table_can_be_named(tree: Path) -> None:
    path = table(
        tree,
        {
            "who": ["0007", "0017", "0027"],
            "grade": ["1", "5", "9"],
            "site": ["n", "n", "s"],
            "part": ["train", "val", "test"],
            "age": ["40", "50", "60"],
        },
    )
    told = {"labels": path, "join": "PatientID", "join_column": "who"}
    changes: dict[str, Any] = {
        "label_column": "grade",
        "label_bins": (3.0, 7.0),
        "group": "site",
        "source": "site",
        "part_column": "part",
        "columns": {"age": "number"},
    }
    manifest = scan(config(tree, dicom=told, **changes))
    assert (manifest.task, manifest.class_names) == ("ordinal", ("below 3", "3 to 7", "7 and above"))
    assert manifest.rows["part"].to_list() == ["train", "train", "validation", "validation", "test", "test"]
    assert manifest.rows["source"].to_list() == ["n"] * 4 + ["s"] * 2
    assert manifest.rows["group"].n_unique() == 2
    assert manifest.columns is not None
    assert manifest.columns["age"].to_list() == ["40", "40", "50", "50", "60", "60"]


def test_several_labels_in_one_cell_and_findings_in_columns(tree: Path) -> None:
    who = ["0007", "0017", "0027"]
    path = table(tree, {"PatientID": who, "label": ["a|b", "", "b"], "one": [1, 0, -1], "two": [0, 1, 1]})
    told = {"labels": path, "join": "PatientID"}
    joined = scan(config(tree, dicom=told, label_separator="|"))
    assert (joined.task, joined.class_names) == ("multi_label", ("a", "b"))
    assert joined.rows["label"].to_list()[::2] == [[1, 1], [0, 0], [0, 1]]
    columns = scan(config(tree, dicom=told, finding_columns=("one", "two")))
    assert columns.rows["label"].to_list()[::2] == [[1, 0], [0, 1], [-1, 1]]


def test_identifiers_that_match_no_file(tree: Path) -> None:
    path = table(tree, {"PatientID": ["7", "017", "27"], "label": ["x", "y", "y"]})
    with pytest.raises(
        DataError,
        match=r"none of its 3 identifiers is the PatientID of one of 6 DICOM images. Near misses: '017' in the table "
        r"beside '0017' in a file.* spreadsheets drop zeros",
    ):
        scan(config(tree, dicom={"labels": path, "join": "PatientID"}))


def test_some_identifiers_and_images_are_left(tree: Path) -> None:
    path = table(tree, {"PatientID": ["0007", "0017", "SECRET"], "label": ["x", "y", "y"]})
    manifest = scan(config(tree, dicom={"labels": path, "join": "PatientID"}))
    assert len(manifest.rows) == 4
    assert finding(manifest, "dicom-unlabelled").message == (
        "2 of 6 DICOM images have no label in the table; they are left out."
    )
    unused = finding(manifest, "dicom-labels-unused")
    assert unused.message.startswith("1 of 3 identifiers")
    assert "SECRET" not in str(manifest.findings)


def test_an_empty_label_is_none(tree: Path) -> None:
    path = table(tree, {"PatientID": ["0007", "0017", "0027"], "label": ["x", "y", "nan"]})
    manifest = scan(config(tree, dicom={"labels": path, "join": "PatientID"}))
    assert (len(manifest.rows), manifest.class_names) == (4, ("x", "y"))


def test_two_labels_for_one_identifier(tree: Path) -> None:
    path = table(tree, {"PatientID": ["0007", "0007", "0017"], "label": ["x", "y", "y"]})
    with pytest.raises(DataError, match=r"1 of 2 values of PatientID have two different labels, such as 0007"):
        scan(config(tree, dicom={"labels": path, "join": "PatientID"}))


def test_the_same_line_twice_is_one(tree: Path) -> None:
    path = table(tree, {"PatientID": ["0007", "0007", "0017", "0027"], "label": ["x", "x", "y", "y"]})
    manifest = scan(config(tree, dicom={"labels": path, "join": "PatientID"}))
    assert finding(manifest, "duplicate-rows").message.startswith("1 lines of the table of labels repeat")
    assert len(manifest.rows) == 6


def test_problems_with_the_table(tree: Path) -> None:
    with pytest.raises(DataError, match=r"There is no table .*absent.csv \(data.dicom.labels\)"):
        scan(config(tree, dicom={"labels": str(tree / "absent.csv")}))
    path = table(tree, {"PatientID": ["0007"], "lable": ["x"]})
    with pytest.raises(DataError, match=r"no column 'label' \(data.label_column\).* Did you mean 'lable'\?"):
        scan(config(tree, dicom={"labels": path, "join": "PatientID"}))
    with pytest.raises(DataError, match=r"no column 'SOPInstanceUID' \(data.dicom.join_column\)"):
        scan(config(tree, dicom={"labels": path}))
    with pytest.raises(DataError, match=r"data.dicom.labels and data.dicom.label_tag are both given"):
        scan(config(tree, dicom={"labels": path, "label_tag": "Modality"}))
